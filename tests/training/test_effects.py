"""Studio effects against SciPy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from htdemucs_n.training.effects import (
    compression_gain,
    equalise,
    resampled,
    reverberate,
    room_response,
    saturate,
    shift_pitch,
    stretched,
)

RATE = 44100


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("hz", "expected_db"), [(20, -6.0), (60, -6.0), (980, 0.0), (16000, 6.0), (20000, 6.0)])
def test_an_equaliser_hits_its_points(hz: int, expected_db: float) -> None:
    """Three points: 60 Hz, the geometric middle 980 Hz, 16 kHz; level outside. A sine is scaled and keeps its phase."""
    length = RATE  # whole Hz are whole bins
    sine = torch.sin(2 * torch.pi * hz * torch.arange(length, dtype=torch.float64) / RATE + 0.4).float()
    scaled = equalise(sine, [-6.0, 0.0, 6.0], RATE)
    np.testing.assert_allclose(scaled.numpy(), sine.numpy() * 10 ** (expected_db / 20), atol=2e-3)


def test_an_equaliser_between_its_points_is_straight_in_octaves() -> None:
    hz = np.sqrt(60 * 16000)  # halfway
    sine = torch.sin(2 * torch.pi * round(hz) * torch.arange(RATE, dtype=torch.float64) / RATE).float()
    gain = equalise(sine, [0.0, 8.0], RATE).abs().max().item()
    assert 20 * np.log10(gain) == pytest.approx(4.0, abs=0.05)


@settings(max_examples=20, deadline=None)
@given(length=st.integers(1, 3000), taps=st.integers(1, 3000))
def test_a_reverb_is_a_convolution(length: int, taps: int) -> None:
    audio, response = noise(2, length), noise(2, taps, seed=1)
    expected = audio.numpy() + 0.3 * fftconvolve(audio.numpy(), response.numpy(), axes=-1)[:, :length]
    np.testing.assert_allclose(reverberate(audio, response, 0.3).numpy(), expected, atol=1e-3)


def test_a_room_falls_by_60_db_in_its_time_and_keeps_the_energy() -> None:
    response = room_response(torch.ones(2, RATE), 0.5, RATE)
    fall = 20 * torch.log10(response[:, RATE // 2] / response[:, 0])
    torch.testing.assert_close(fall, torch.full((2,), -60.0), atol=0.01, rtol=0)
    torch.testing.assert_close(response.square().sum(dim=1), torch.ones(2))


@pytest.mark.parametrize("drive", [0.1, 1.0, 5.0])
def test_saturation_is_a_tanh_at_the_old_level(drive: float) -> None:
    audio = 0.02 * noise(2, 5000)
    rms = audio.square().mean().sqrt()
    expected = np.tanh(drive * audio.double().numpy() / rms.item())
    expected *= rms.item() / np.sqrt(np.mean(expected**2))
    np.testing.assert_allclose(saturate(audio, drive).numpy(), expected, atol=1e-6)
    assert not saturate(torch.zeros(2, 10), drive).any()


def test_a_compressor_brings_loudness_above_its_threshold_down_by_its_ratio() -> None:
    """Half loud, half quiet: 20 dB apart. The loud half is 2.97 dB over the whole's RMS."""
    loud = torch.ones(2, 65536)
    loud[:, 32768:] = 0.1
    over = -10 * np.log10((1 + 0.01) / 2)
    gain = 20 * torch.log10(compression_gain(loud, threshold_db=-1.0, ratio=4.0))
    assert gain[10000].item() == pytest.approx(-(over + 1) * (1 - 1 / 4), abs=0.01)
    assert gain[-10000].item() == 0, "below the threshold nothing happens"
    assert gain.diff().abs().max() < 0.02, "and between the two no click"


@pytest.mark.parametrize("length", [1, 511, 513, 9000])
def test_a_compressor_takes_any_length(length: int) -> None:
    gain = compression_gain(noise(2, length), 0.0, 3.0)
    assert gain.shape == (length,) and gain.isfinite().all()
    assert torch.equal(compression_gain(torch.zeros(2, length), 0.0, 3.0), torch.ones(length))


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


def test_the_same_length_is_left_alone() -> None:
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
