"""Batch norm folded into convolutions: the same function, and no batch norm left."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from htdemucs_n.models.folding import fold_batch_norm, prepare_for_inference, reduce_weights
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from htdemucs_n.models.presets import load_preset
from models_helpers import noise, randomise_batch_norm, tiny_model


def batch_norms(model: nn.Module) -> int:
    return sum(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in model.modules())


def relative_change(model: HTDemucs_n, seed: int = 0) -> float:
    """Largest difference of any output sample that folding makes, over the RMS of the output."""
    mixture = noise(1, 2, 16384, seed=seed)
    with torch.no_grad():
        before, after = model.eval()(mixture), fold_batch_norm(model)(mixture)
    return float((after - before).abs().max() / before.square().mean().sqrt())


@pytest.mark.parametrize(
    "keys", [{}, {"fusion_method": "add"}, {"spectral_head": "none"}, {"mixture_consistency": False}]
)
def test_outputs_change_by_less_than_1e_5(keys: dict[str, Any]) -> None:
    model = tiny_model(use_train_segment=False, **keys)
    randomise_batch_norm(model)
    assert relative_change(model) < 1e-5


def test_so_they_do_in_a_preset() -> None:
    torch.manual_seed(0)
    model = HTDemucs_n(load_preset("small"), use_train_segment=False)
    randomise_batch_norm(model)
    assert relative_change(model) < 1e-5


def test_the_statistics_matter() -> None:
    """The check above can fail: with other statistics the output differs."""
    first, second = tiny_model(use_train_segment=False).eval(), tiny_model(use_train_segment=False).eval()
    randomise_batch_norm(second)
    mixture = noise(1, 2, 16384)
    with torch.no_grad():
        assert float((first(mixture) - second(mixture)).abs().max()) > 1e-2


def test_no_batch_norm_is_left_and_the_original_is_untouched() -> None:
    model = tiny_model()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    folded = fold_batch_norm(model)
    assert batch_norms(model) > 20 and batch_norms(folded) == 0
    assert model.training and not folded.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert folded.config == model.config


def test_inference_has_its_kernels_channels_last_and_the_same_output() -> None:
    model, mixture = tiny_model(use_train_segment=False).eval(), noise(1, 2, 16384)
    randomise_batch_norm(model)
    ready = prepare_for_inference(model)
    assert batch_norms(ready) == 0 and not ready.training
    kernels = [m.weight for m in ready.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert kernels and all(k.is_contiguous(memory_format=torch.channels_last) for k in kernels)
    with torch.no_grad():
        expected = model(mixture)
        assert float((ready(mixture) - expected).abs().max() / expected.square().mean().sqrt()) < 1e-5


def test_a_folded_pair_is_the_closed_form() -> None:
    """W' = W g / sqrt(v + eps), b' = b - m g / sqrt(v + eps), on numbers small enough to check by eye."""
    conv, norm = nn.Conv1d(1, 1, 1, bias=False), nn.BatchNorm1d(1, eps=0.0)
    nn.init.constant_(conv.weight, 3)
    nn.init.constant_(norm.weight, 2)
    nn.init.constant_(norm.bias, 5)
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.fill_(7)
    norm.running_var.fill_(16)
    folded = fold_batch_norm(nn.Sequential(conv, norm, nn.ReLU()))[0]
    assert folded.weight.item() == 3 * 2 / 4
    assert folded.bias.item() == 5 - 7 * 2 / 4


def test_the_layers_that_keep_float32_when_weights_are_reduced() -> None:
    """Autocast keeps norms in float32, and the transposed convolutions that write samples have to stay there too."""
    layers = {
        torch.bfloat16: [nn.Linear(2, 2), nn.Conv1d(2, 2, 1), nn.Conv2d(2, 2, 1), nn.ConvTranspose2d(2, 2, 1)],
        torch.float32: [nn.ConvTranspose1d(2, 2, 1), nn.LayerNorm(2), nn.BatchNorm2d(2)],
    }
    for dtype, modules in layers.items():
        for module in modules:
            assert next(reduce_weights(module, torch.bfloat16).parameters()).dtype == dtype, module
