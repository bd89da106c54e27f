"""The loss against NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfiltfilt

from htdemucs_n.training.batches import Batch
from htdemucs_n.training.loss import SeparationLoss, low_passed

SAMPLES = 9000


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch_of(targets: torch.Tensor, **parts: Any) -> Batch:
    """A batch of which all stems are known, but for `parts`."""
    items, sources = targets.shape[:2]
    known: dict[str, Any] = {
        "groups": torch.eye(sources).expand(items, -1, -1),
        "cutoff": torch.full((items, sources), math.inf),
        "estimated": torch.zeros(items, dtype=torch.bool),
    }
    return Batch(targets.sum(dim=1), targets, **(known | parts))


@pytest.mark.parametrize("kind", ["l1", "l2", "log"])
def test_against_numpy(kind: str) -> None:
    estimate, targets = noise(2, 4, 2, SAMPLES), noise(2, 4, 2, SAMPLES, seed=1)
    error = estimate.double().numpy() - targets.double().numpy()
    expected = {
        "l1": np.mean(np.abs(error)),
        "l2": 2 * np.mean(error**2),
        "log": np.mean(0.1 * np.log(2 * np.mean(error**2, axis=(2, 3)) + 0.002)),
    }[kind]
    assert SeparationLoss(kind)(estimate, batch_of(targets)).item() == pytest.approx(expected, rel=1e-5)


def test_sums_are_compared_with_sums() -> None:
    """Errors of the three stems in a sum cancel, and a target that is not used costs nothing."""
    stems = noise(1, 4, 2, SAMPLES)
    groups = torch.zeros(1, 4, 4)
    groups[0, 0, 3], groups[0, 1, :3] = 1, 1
    targets = torch.zeros_like(stems)
    targets[0, 0], targets[0, 1] = stems[0, 3], stems[0, :3].sum(dim=0)
    moved = stems.clone()
    moved[0, 0] += 1
    moved[0, 1] -= 1
    loss = SeparationLoss("l2")
    assert loss(moved, batch_of(targets, groups=groups)).item() == pytest.approx(0, abs=1e-9)
    moved[0, 3] += 0.5
    assert loss(moved, batch_of(targets, groups=groups)).item() == pytest.approx(2 * 0.25 / 4, rel=1e-4)


@pytest.mark.parametrize("kind", ["l1", "l2", "log"])
def test_a_target_that_is_not_used_costs_nothing(kind: str) -> None:
    estimate, targets = noise(1, 4, 2, SAMPLES), torch.zeros(1, 4, 2, SAMPLES)
    groups = torch.zeros(1, 4, 4)
    groups[0, 0, 0] = 1
    alone = SeparationLoss(kind)(estimate[:, :1], batch_of(targets[:, :1]))
    loss = SeparationLoss(kind)(estimate, batch_of(targets, groups=groups))
    assert loss.item() == pytest.approx(alone.item() / 4, rel=1e-5)


def test_a_target_counts_up_to_its_cutoff_only() -> None:
    """Errors at 2 and 15 kHz; the recording is known up to 8 kHz."""
    time = torch.arange(SAMPLES) / 44100
    low, high = torch.sin(2 * torch.pi * 2000 * time), torch.sin(2 * torch.pi * 15000 * time)
    estimate = torch.zeros(1, 4, 2, SAMPLES)
    estimate[0, 3] = low + high
    cutoff = torch.full((1, 4), math.inf)
    cutoff[0, 3] = 8000
    loss = SeparationLoss("l2")
    targets = torch.zeros_like(estimate)
    assert loss(estimate, batch_of(targets)).item() == pytest.approx(2 * 1.0 / 4, rel=0.01)
    assert loss(estimate, batch_of(targets, cutoff=cutoff)).item() == pytest.approx(2 * 0.5 / 4, rel=0.01)


def test_the_worst_fifth_of_a_teachers_crop_is_left_out() -> None:
    """An error of 1 throughout, of 10 in the third and eighth tenth."""
    error = torch.ones(2, 4, 2, 10, SAMPLES // 10)
    error[..., [2, 7], :] = 10
    estimated = torch.tensor([True, False])
    loss = SeparationLoss("l2", estimated_weight=0.5)
    value = loss(error.flatten(-2), batch_of(torch.zeros(2, 4, 2, SAMPLES), estimated=estimated)).item()
    assert value == pytest.approx((0.5 * 2 * 1 + 2 * (0.8 + 0.2 * 100)) / 2, rel=1e-5)


@pytest.mark.parametrize("kind", ["l1", "l2", "log"])
@pytest.mark.parametrize("silent", ["estimate", "targets", "both"])
def test_gradients_are_finite_at_silence(kind: str, silent: str) -> None:
    estimate = noise(2, 4, 2, SAMPLES) * (silent == "targets")
    targets = noise(2, 4, 2, SAMPLES, seed=1) * (silent == "estimate")
    estimate.requires_grad_()
    SeparationLoss(kind)(estimate, batch_of(targets)).backward()
    assert estimate.grad is not None
    assert estimate.grad.isfinite().all()
    assert bool(estimate.grad.any()) == (silent != "both")


def test_low_passed_keeps_the_frequency_of_the_cut() -> None:
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(8000) / 8000).expand(2, 1, -1)
    cut = low_passed(tone, torch.tensor([1000.0, 999.0]), 8000)
    torch.testing.assert_close(cut[0], tone[0], atol=1e-2, rtol=0)
    assert cut[1].abs().max() < 1e-2


def test_low_passed_is_a_low_pass() -> None:
    """Against a steep Butterworth filter, apart from the ends."""
    audio = noise(2, 2, 44100)
    expected = sosfiltfilt(butter(40, 6000, fs=44100, output="sos"), audio.double().numpy())
    cut = low_passed(audio, torch.tensor([6000.0, 6000.0]), 44100).numpy()
    error = np.square(cut - expected)[..., 2000:-2000].mean() / np.square(expected).mean()
    assert 10 * np.log10(error) < -14
