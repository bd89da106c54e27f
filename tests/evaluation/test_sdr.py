"""Global SDR against NumPy's closed form, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from htdemucs_n.evaluation.sdr import global_sdr


def numpy_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    reference, estimate = reference.astype(np.float64), estimate.astype(np.float64)
    return float(10 * np.log10((reference**2).sum() / ((reference - estimate) ** 2).sum()))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), channels=st.integers(1, 3), length=st.integers(20, 400))
def test_equals_the_formula_over_channels_and_samples(seed: int, channels: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    reference = rng.standard_normal((channels, length)).astype(np.float32)
    estimate = reference + rng.uniform(0.01, 3) * rng.standard_normal((channels, length)).astype(np.float32)
    score = global_sdr(torch.from_numpy(reference), torch.from_numpy(estimate.astype(np.float32)))
    assert score.shape == ()
    assert float(score) == pytest.approx(numpy_sdr(reference, estimate.astype(np.float32)), abs=1e-5)


def test_leading_dimensions_are_scored_one_by_one() -> None:
    reference, estimate = torch.randn(2, 3, 4, 2, 100, generator=torch.Generator().manual_seed(0)).unbind(0)
    scores = global_sdr(reference, estimate)
    assert scores.shape == (3, 4)
    assert float(scores[2, 1]) == pytest.approx(numpy_sdr(reference[2, 1].numpy(), estimate[2, 1].numpy()), abs=1e-6)


def test_silence_scores_zero_and_half_amplitude_six_db() -> None:
    reference = torch.sin(torch.arange(2000.0)).reshape(2, 1000)
    assert float(global_sdr(reference, torch.zeros_like(reference))) == pytest.approx(0, abs=1e-9)
    assert float(global_sdr(reference, reference / 2)) == pytest.approx(20 * np.log10(2), abs=1e-6)
    assert float(global_sdr(reference, -reference)) == pytest.approx(-20 * np.log10(2), abs=1e-6)


def test_scaling_both_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(1)
    reference, estimate = torch.randn(2, 2, 500, generator=generator).unbind(0)
    expected = float(global_sdr(reference, estimate))
    for gain in (0.01, 7.0):
        assert float(global_sdr(gain * reference, gain * estimate)) == pytest.approx(expected, abs=1e-4)


def test_silent_reference_has_no_score_and_a_perfect_estimate_a_finite_one() -> None:
    silence, tone = torch.zeros(2, 50), torch.ones(2, 50)
    scores = global_sdr(torch.stack([silence, tone]), torch.stack([tone, tone]))
    assert np.isnan(scores[0])
    assert 100 < float(scores[1]) < 200
