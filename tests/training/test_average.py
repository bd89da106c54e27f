"""The mean of checkpoints is NumPy's mean of their weights; of a run it is the averaged weights that count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from htdemucs_n.errors import UserError
from htdemucs_n.models.architectures import Network, build_network
from htdemucs_n.models.storage import save_model
from htdemucs_n.training.average import mean_model
from htdemucs_n.training.checkpoint import save_checkpoint
from htdemucs_n.training.ema import EMA
from htdemucs_n.training.optimizers import build_optimizers
from models_helpers import tiny_model
from training_helpers import tiny_config


def saved(path: Path, model: Network, dtype: torch.dtype = torch.float32) -> Path:
    save_model(path, model, {}, dtype)
    return path


def test_every_weight_is_the_mean_of_its_three(tmp_path: Path) -> None:
    models = [tiny_model(seed) for seed in range(3)]
    mean = mean_model([saved(tmp_path / f"{n}.safetensors", model) for n, model in enumerate(models)])
    assert not mean.training
    for name, tensor in mean.state_dict().items():
        three = np.stack([model.state_dict()[name].double().numpy() for model in models])
        assert tensor.double().numpy() == pytest.approx(three.mean(axis=0), rel=1e-6, abs=1e-7), name


def test_the_mean_of_one_model_is_that_model(tmp_path: Path) -> None:
    model = tiny_model(4)
    half = mean_model([saved(tmp_path / "a.safetensors", model, torch.float16)])
    for name, tensor in half.state_dict().items():
        expected = model.state_dict()[name]
        assert tensor.equal(expected.half().float() if expected.is_floating_point() else expected), name


def test_of_a_run_the_averaged_weights_count(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    model = build_network(config.network)
    ema = EMA(build_network(config.network), 0.9)
    save_checkpoint(tmp_path / "last.safetensors", model, ema, build_optimizers(model, config.solver), {"step": 1})
    mean = mean_model([tmp_path / "last.safetensors"])
    assert all(tensor.equal(ema.model.state_dict()[name]) for name, tensor in mean.state_dict().items())


def test_weights_of_two_models_have_no_mean(tmp_path: Path) -> None:
    files = [saved(tmp_path / "a.safetensors", tiny_model()), saved(tmp_path / "b.safetensors", tiny_model(channels=6))]
    with pytest.raises(UserError, match=r"b\.safetensors is of another model than .*a\.safetensors"):
        mean_model(files)
    with pytest.raises(UserError, match="name two or more"):
        mean_model([])
