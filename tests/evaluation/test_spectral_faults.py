"""Level errors, excess treble and lines against filters, tones and spectra of SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from htdemucs_n.datasets.bandwidth import bandwidth
from htdemucs_n.evaluation.score import badness, better
from htdemucs_n.evaluation.spectral_faults import (
    BANDS,
    excess_treble,
    level_errors,
    line_height,
    long_term_spectrum,
)

RATE = 44100


def noise(seconds: float = 8.0, seed: int = 0) -> Tensor:
    """White noise `(2, T)`, RMS 0.1."""
    return torch.from_numpy(0.1 * np.random.default_rng(seed).standard_normal((2, round(seconds * RATE))))


def filtered(audio: Tensor, gains_db: tuple[float, float, float, float]) -> Tensor:
    """`audio` `(C, T)` with a gain in each of the four bands, by its Fourier transform."""
    spectrum = np.fft.rfft(audio.numpy())
    frequencies = np.fft.rfftfreq(audio.shape[1], 1 / RATE)
    for gain, (low, high) in zip(gains_db, BANDS.values(), strict=True):
        spectrum[:, (frequencies >= low) & (frequencies < high)] *= 10 ** (gain / 20)
    return torch.from_numpy(np.fft.irfft(spectrum, audio.shape[1]))


def test_the_long_term_spectrum_is_welch_s() -> None:
    audio = noise()
    window = scipy.signal.get_window("hann", 16384)
    _, expected = scipy.signal.welch(
        audio.numpy(), RATE, window, 16384, noverlap=8192, detrend=False, return_onesided=False
    )
    scale = RATE * np.square(window).sum()
    measured = long_term_spectrum(audio).numpy()
    np.testing.assert_allclose(measured, expected.mean(axis=0)[:8193] * scale, rtol=1e-6)


@pytest.mark.parametrize("gains", [(-6.0, 0.0, 3.0, -2.0), (0.0, -9.0, 0.0, 9.0)])
def test_the_gain_of_a_band_is_its_level_error(gains: tuple[float, float, float, float]) -> None:
    errors = level_errors(long_term_spectrum(noise()), long_term_spectrum(filtered(noise(), gains)), RATE)
    assert list(errors.values()) == pytest.approx(gains, abs=0.15)


def test_a_band_without_sound_has_no_level() -> None:
    """A bass that falls off steeply from 1 kHz on: hiss above it has no level that it should have."""
    sections = scipy.signal.butter(20, 1000, fs=RATE, output="sos")
    bass = torch.from_numpy(scipy.signal.sosfilt(sections, noise().numpy()))
    errors = level_errors(long_term_spectrum(bass), long_term_spectrum(bass + 0.01 * noise(seed=1)), RATE)
    assert [math.isnan(error) for error in errors.values()] == [False, False, True, True]


def treble(estimate: Tensor, mixture: Tensor) -> float:
    """The excess treble of `(C, T)` beside the bandwidth of the mixture."""
    spectra = long_term_spectrum(estimate), long_term_spectrum(mixture)
    return excess_treble(*spectra, bandwidth(mixture.numpy(), RATE), RATE)


def test_treble_above_the_bandwidth_of_the_mixture_is_measured() -> None:
    """A hiss 40 dB below a mixture that ends at 15 kHz; of white noise 6.55 kHz of 22.05 lie above 15.5 kHz."""
    spectrum = np.fft.rfft(noise().numpy())
    spectrum[:, np.fft.rfftfreq(noise().shape[1], 1 / RATE) > 15000] = 0
    mixture = torch.from_numpy(np.fft.irfft(spectrum, noise().shape[1]))
    power = float(mixture.square().mean())
    hiss = noise(seed=1) * math.sqrt(1e-4 * power / 0.01)
    expected = -40 + 10 * math.log10(6550 / 22050)
    assert treble(mixture + hiss, mixture) == pytest.approx(expected, abs=0.3)
    assert treble(mixture, mixture) < -90
    assert math.isnan(treble(noise(), noise(seed=2)))


@pytest.mark.parametrize("multiple", [1, 2, 3])
@pytest.mark.parametrize("height", [10.0, 30.0])
def test_a_tone_stands_out_by_its_height(multiple: int, height: float) -> None:
    """A sine at a multiple of 5512.5 Hz whose power in its bin is `height` over that of the noise.

    A sine of amplitude a has the power (a/2)^2 (sum w)^2 in its bin, noise of variance v has v sum w^2.
    """
    window = np.hanning(16384)
    amplitude = 2 * math.sqrt(10 ** (height / 10) * 0.01 * np.square(window).sum()) / window.sum()
    time = torch.arange(8 * RATE, dtype=torch.float64) / RATE
    tone = amplitude * torch.sin(2 * math.pi * 5512.5 * multiple * time)
    assert line_height(long_term_spectrum(noise() + tone), RATE) == pytest.approx(height, abs=1.5)


def test_noise_has_no_lines_and_silence_no_height() -> None:
    assert line_height(long_term_spectrum(noise()), RATE) < 4
    assert math.isnan(line_height(long_term_spectrum(torch.zeros(2, RATE)), RATE))
    assert math.isnan(line_height(long_term_spectrum(noise()), 8000))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60000), st.integers(1, 2))
def test_any_length_has_a_spectrum(length: int, channels: int) -> None:
    """The middle sample counts, whether the audio fills a frame or not."""
    audio = torch.zeros(channels, length)
    audio[:, length // 2] = 1
    spectrum = long_term_spectrum(audio)
    assert spectrum.shape == (8193,) and spectrum.isfinite().all()
    assert length < 3 or spectrum.sum() > 0


def test_tables_say_how_a_metric_is_read() -> None:
    assert better("level below 250 Hz") == "nearest to 0 is best"
    assert better("lines") == "lower is better"
    assert better("global SDR") == "higher is better"
    assert badness("level below 250 Hz", -3.0) == badness("level below 250 Hz", 3.0) > 0
    assert badness("global SDR", 3.0) < badness("global SDR", -3.0)
