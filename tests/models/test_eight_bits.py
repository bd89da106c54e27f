"""Weights in 8 bits: how far they are from what they were, and that they come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from htdemucs_n.errors import ModelError
from htdemucs_n.models.eight_bits import from_eight_bits, to_eight_bits
from htdemucs_n.models.storage import load_saved_model, save_model
from models_helpers import noise, randomise_batch_norm, tiny_model


def test_values_by_hand() -> None:
    weights = torch.tensor([[1.27, -0.634, 0.0], [0.0, 0.0, 0.0], [-2.54, 2.54, 0.011]])
    stored = to_eight_bits({"weight": weights, "bias": torch.tensor([1 / 3]), "count": torch.tensor(7)})
    assert stored["weight"].tolist() == [[127, -63, 0], [0, 0, 0], [-127, 127, 1]]
    assert stored["weight.scale"].flatten().tolist() == pytest.approx([0.01, 0, 0.02])
    assert stored["bias"].dtype == torch.float16 and stored["count"].item() == 7
    restored = from_eight_bits(stored)
    assert restored.keys() == {"weight", "bias", "count"}
    expected = np.array([[1.27, -0.63, 0.0], [0.0, 0.0, 0.0], [-2.54, 2.54, 0.02]])
    np.testing.assert_allclose(restored["weight"].numpy(), expected, atol=1e-6)


def test_a_parameter_may_be_called_scale() -> None:
    """Only what belongs to a tensor in 8 bits is taken for its scales."""
    tensors = {"layer": torch.ones(2), "layer.scale": torch.tensor([[0.5, -0.5]])}
    restored = from_eight_bits(to_eight_bits(tensors))
    assert restored.keys() == tensors.keys()
    torch.testing.assert_close(restored["layer.scale"], tensors["layer.scale"])


def test_the_error_of_a_model_is_half_a_step_at_most(tmp_path: Path) -> None:
    model, path = tiny_model(seed=3), tmp_path / "model.safetensors"
    randomise_batch_norm(model)
    model.eval()
    save_model(path, model, {}, torch.int8)
    assert {tensor.dtype for tensor in load_file(path).values()} == {
        torch.int8,
        torch.float16,
        torch.float32,
        torch.int64,
    }
    loaded, _ = load_saved_model(path)
    for name, tensor in model.state_dict().items():
        error = (loaded.state_dict()[name] - tensor).abs()
        if tensor.ndim > 1:
            largest = tensor.abs().flatten(1).amax(1)
            assert bool((error.flatten(1).amax(1) <= 0.501 * largest / 127).all()), name
    mixture = noise(1, 2, 5000)
    with torch.no_grad():
        exact, rounded = model(mixture), loaded(mixture)
    assert float((rounded - exact).square().mean() / exact.square().mean()) < 1e-3  # 30 dB


def test_what_was_in_8_bits_is_the_same_in_8_bits_again(tmp_path: Path) -> None:
    save_model(tmp_path / "one.safetensors", tiny_model(seed=3), {}, torch.int8)
    model, _ = load_saved_model(tmp_path / "one.safetensors")
    save_model(tmp_path / "two.safetensors", model, {}, torch.int8)
    one, two = (load_file(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one if not name.endswith(".scale"))


def test_a_file_without_the_scales_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, tiny_model(), {}, torch.int8)
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith(".scale"))
    del tensors[name]
    save_file(tensors, path, {"format": "htdemucs_n"})
    with pytest.raises(ModelError, match=rf"model\.safetensors lacks the tensor '{name}'"):
        load_saved_model(path)
