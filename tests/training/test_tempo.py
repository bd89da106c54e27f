"""Changes of speed and pitch against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from htdemucs_n.training.augment.tempo import resampled, shift_pitch, stretched


def sine(cycles: int, length: int, phase: float = 0.3) -> np.ndarray:
    return np.cos(2 * np.pi * cycles * np.arange(length) / length + phase)


@settings(max_examples=40, deadline=None)
@given(old=st.integers(200, 3000), new=st.integers(200, 3000), cycles=st.integers(0, 90))
def test_a_sine_keeps_its_cycles_amplitude_and_phase(old: int, new: int, cycles: int) -> None:
    """`cycles` in `old` samples become `cycles` in `new`: the frequency is scaled by exactly old / new."""
    stereo = torch.from_numpy(np.stack([sine(cycles, old), 2 * sine(cycles + 1, old, 1.0)])).float()
    expected = np.stack([sine(cycles, new), 2 * sine(cycles + 1, new, 1.0)])
    changed = resampled(stereo, new)
    assert changed.shape == (2, new)
    np.testing.assert_allclose(changed.numpy(), expected, atol=2e-5)


def test_what_a_faster_tape_cannot_hold_is_cut_not_folded() -> None:
    """600 cycles in 2,000 samples cannot live in 1,000: silence, no alias at 400."""
    assert resampled(torch.from_numpy(sine(600, 2000)), 1000).abs().max() < 1e-6


def test_the_same_length_returns_the_input() -> None:
    audio = torch.randn(2, 333, generator=torch.Generator().manual_seed(0))
    assert resampled(audio, 333) is audio


@pytest.mark.parametrize("semitones", [-12.0, -2.0, 1.0, 7.0])
def test_a_shifted_sine_has_the_new_frequency_and_the_old_level(semitones: float) -> None:
    """440 Hz left, 1,000 Hz right at half the level, two seconds: the peaks move by 2^(n/12), the levels stay."""
    time = np.arange(88200) / 44100
    stereo = np.stack([np.sin(2 * np.pi * 440 * time), 0.5 * np.sin(2 * np.pi * 1000 * time)])
    shifted = shift_pitch(torch.from_numpy(stereo).float(), semitones)
    assert shifted.shape == (2, 88200)
    middle = shifted[:, 22050:66150].numpy() * np.hanning(44100)  # one second: a bin a hertz
    for channel, hz, level in zip(middle, (440, 1000), (1.0, 0.5), strict=True):
        spectrum = np.abs(np.fft.rfft(channel)) / (44100 / 4)
        assert spectrum.argmax() == pytest.approx(hz * 2 ** (semitones / 12), abs=1.0)
        assert np.sqrt((spectrum**2).sum() / 1.5) == pytest.approx(level, rel=0.1)


def test_a_shifted_click_stays_where_it_was() -> None:
    audio = torch.zeros(2, 40000)
    audio[:, 20000] = 1.0
    shifted = shift_pitch(audio, 2.0)[0].square()
    centre = (shifted * torch.arange(40000)).sum() / shifted.sum()
    assert abs(float(centre) - 20000) < 512  # how far a window may be moved, 12 ms


def test_channels_that_are_alike_stay_alike() -> None:
    mono = torch.randn(1, 30000, generator=torch.Generator().manual_seed(0)).expand(2, -1)
    left, right = shift_pitch(mono, -1.5)
    assert torch.equal(left, right)


@settings(max_examples=25, deadline=None)
@given(old=st.integers(1, 9000), octaves=st.floats(-2, 2))
def test_any_length_can_be_stretched_by_two_octaves(old: int, octaves: float) -> None:
    new = max(1, math.ceil(old * 2**octaves))
    assert stretched(torch.ones(2, old), new).shape == (2, new)


def test_stretched_to_its_own_length_is_itself() -> None:
    audio = torch.randn(2, 20000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(stretched(audio, 20000), audio, rtol=0, atol=1e-5)
