"""Calibration: the statistics of every batch norm are those of what it is fed, by NumPy; nothing else moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from htdemucs_n.models.architectures import build_network
from htdemucs_n.training.calibrate import calibrate, calibration_batches
from training_helpers import noise_bank, tiny_config


def batch_norms(model: nn.Module) -> dict[str, nn.BatchNorm1d | nn.BatchNorm2d]:
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)}


def test_statistics_are_the_averages_over_the_batches(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    model = build_network(config.network)
    name, norm = next(iter(batch_norms(model).items()))
    fed: list[np.ndarray] = []

    def keep(module: nn.Module, inputs: tuple[Tensor]) -> None:
        fed.append(inputs[0].double().numpy())

    handle = norm.register_forward_pre_hook(keep)
    calibrate(model, calibration_batches(config, noise_bank()), 3)
    handle.remove()
    assert len(fed) == 3, name
    axes = tuple(axis for axis in range(fed[0].ndim) if axis != 1)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean = np.mean([x.mean(axes) for x in fed], axis=0)
    variance = np.mean([x.var(axes, ddof=1) for x in fed], axis=0)
    assert norm.running_mean.numpy() == pytest.approx(mean, rel=1e-4, abs=1e-5)
    assert norm.running_var.numpy() == pytest.approx(variance, rel=1e-4)


@pytest.mark.parametrize("count", [0, 2])
def test_nothing_else_changes(tmp_path: Path, count: int) -> None:
    config = tiny_config(tmp_path)
    model = build_network(config.network).train()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    calibrate(model, calibration_batches(config, noise_bank()), count)
    changed = {key.rsplit(".", 1)[1] for key, tensor in model.state_dict().items() if not tensor.equal(before[key])}
    assert changed == ({"running_mean", "running_var", "num_batches_tracked"} if count else set())
    assert not any(module.training for module in model.modules())
    assert {norm.momentum for norm in batch_norms(model).values()} == {0.1}


def test_batches_are_songs_as_they_are(tmp_path: Path) -> None:
    """A stem of a calibration batch is a crop of one song's, up to the one gain that sets the mixture's level."""
    config = tiny_config(tmp_path)
    bank = noise_bank(1)
    batch = calibration_batches(config, bank).batch(0).targets
    song = bank.songs[0].mixture_and_stems()[1]
    assert batch.shape[-1] == 4096  # 0.1 s, rounded to whole frames
    for item in batch:
        lags = torch.fft.irfft(torch.fft.rfft(song[0, 0], 65536) * torch.fft.rfft(item[0, 0], 65536).conj(), 65536)
        start = int(lags.argmax())
        gain = float(item.norm() / song[:, :, start : start + 4096].norm())
        assert torch.allclose(item, gain * song[:, :, start : start + 4096], rtol=1e-4, atol=1e-5)
