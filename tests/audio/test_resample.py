"""Resampling against the sampled sine itself, and exact lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_helpers import tones
from htdemucs_n.audio import resample

RATES = [8000, 11025, 22050, 44100, 48000, 96000, 192000]


@pytest.mark.parametrize("old", RATES)
@pytest.mark.parametrize("new", [44100, 48000, 8000])
def test_a_sine_stays_the_same_sine(old: int, new: int) -> None:
    """Below both bands a resampled sine is the sine sampled at the new rate: right level, no delay."""
    resampled = resample(tones((440, 1000), old, 1.0), old, new)
    truth = tones((440, 1000), new, 1.0)
    assert resampled.shape == truth.shape
    inner = slice(new // 10, -new // 10)
    assert np.abs(resampled[:, inner] - truth[:, inner]).max() < 1e-5


def test_above_the_new_band_nothing_folds_back() -> None:
    assert np.abs(resample(tones((30000,), 96000, 1.0), 96000, 44100)[:, 4410:-4410]).max() < 1e-5


def test_the_same_rate_changes_nothing() -> None:
    samples = tones((440, 660), 44100)
    np.testing.assert_array_equal(resample(samples, 44100, 44100), samples)


@settings(max_examples=50, deadline=None)
@given(
    length=st.integers(1, 3000),
    old=st.sampled_from(RATES),
    new=st.sampled_from(RATES),
    channels=st.integers(1, 3),
)
def test_lengths_are_exact_there_and_back(length: int, old: int, new: int, channels: int) -> None:
    samples = np.ones((channels, length), dtype=np.float32)
    there = resample(samples, old, new)
    assert there.shape == (channels, max(1, round(length * new / old)))
    back = resample(there, new, old, length)
    assert back.shape == samples.shape
    assert back.dtype == np.float32
    assert np.isfinite(back).all()
