"""Effects, synthesizer and amplifier against closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from song_maker import effects, synth
from song_maker.amplifier import amplify
from song_maker.effects import RATE
from song_maker.notes import Note


def gain_at(process: object, frequency: float, level: float = 0.5) -> float:
    """dB by which `process` changes a long sine of `frequency` Hz, at rest."""
    time = np.arange(2 * RATE) / RATE
    wave = level * np.sin(2 * np.pi * frequency * time)
    result = process(wave)  # type: ignore[operator]
    return float(20 * np.log10(effects.rms(result[RATE:]) / effects.rms(wave[RATE:])))


@pytest.mark.parametrize("gain", [-12.0, 6.0])
def test_peaking_filter_has_its_gain_at_its_centre_only(gain: float) -> None:
    def process(wave: NDArray[np.float64]) -> NDArray[np.float64]:
        return effects.peaking(wave, 1000.0, gain, 2.0)

    assert gain_at(process, 1000) == pytest.approx(gain, abs=0.01)
    assert gain_at(process, 50) == pytest.approx(0, abs=0.1) and gain_at(process, 18_000) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("high", [True, False])
def test_shelf_has_its_gain_on_one_side_and_half_at_the_corner(high: bool) -> None:
    def process(wave: NDArray[np.float64]) -> NDArray[np.float64]:
        return effects.shelf(wave, 1000.0, 8.0, high)

    below, above = gain_at(process, 30), gain_at(process, 19_000)
    assert (above, below) == (pytest.approx(8 if high else 0, abs=0.1), pytest.approx(0 if high else 8, abs=0.1))
    assert gain_at(process, 1000) == pytest.approx(4, abs=0.05)


def test_passes_are_butterworth() -> None:
    assert gain_at(lambda wave: effects.high_pass(wave, 500, 2), 500) == pytest.approx(-3.01, abs=0.02)
    assert gain_at(lambda wave: effects.high_pass(wave, 500, 2), 50) == pytest.approx(-40, abs=0.2)
    assert gain_at(lambda wave: effects.low_pass(wave, 500, 4), 500) == pytest.approx(-3.01, abs=0.02)
    noise = np.random.default_rng(0).standard_normal((2, 100))
    assert effects.low_pass(noise, 21_000) is noise


@pytest.mark.parametrize(("level", "expected"), [(-30.0, 0.0), (-10.0, -7.5), (0.0, -15.0)])
def test_compressor_at_rest_follows_its_curve(level: float, expected: float) -> None:
    """Threshold -20 dB, ratio 4: 10 dB above it are 2.5 dB above it after."""
    amplitude = effects.decibels(level)

    def process(wave: NDArray[np.float64]) -> NDArray[np.float64]:
        return effects.compress(wave, -20, 4, attack=0.0005, release=1.0, knee=1.0)

    assert gain_at(process, 1000, amplitude) == pytest.approx(expected, abs=0.15)


def test_compressor_keeps_the_balance_of_the_sides() -> None:
    rng = np.random.default_rng(0)
    stereo = rng.standard_normal((2, RATE)) * np.array([[0.5], [0.1]])
    result = effects.compress(stereo, -30, 8)
    gains = result / stereo
    np.testing.assert_allclose(gains[0], gains[1])
    assert gains.max() <= 1 and gains.min() < 0.5


@given(st.integers(1, 5000), st.floats(0.01, 1.0))
@settings(max_examples=25, deadline=None)
def test_limiter_holds_its_ceiling(length: int, ceiling: float) -> None:
    loud = 5 * np.random.default_rng(length).standard_normal((2, length))
    limited = effects.limit(loud, ceiling)
    assert limited.shape == loud.shape and np.abs(limited).max() <= ceiling


def test_pan_keeps_the_power_and_widen_the_sum() -> None:
    sound = np.random.default_rng(0).standard_normal(1000)
    for position in (-1.0, -0.3, 0.0, 0.8):
        placed = effects.pan(sound, position)
        assert np.sum(placed**2) == pytest.approx(np.sum(sound**2))
    assert np.abs(effects.pan(sound, -1.0)[1]).max() < 1e-12
    stereo = np.random.default_rng(1).standard_normal((2, 1000))
    wide = effects.widen(stereo, 1.7)
    np.testing.assert_allclose(wide.sum(axis=0), stereo.sum(axis=0))
    np.testing.assert_allclose(wide[0] - wide[1], 1.7 * (stereo[0] - stereo[1]))


def test_delay_repeats_on_the_other_side() -> None:
    impulse = np.zeros((2, 3 * 4410))
    impulse[0, 0] = 1.0
    echoes = effects.delay(impulse, 0.1, 0.5, 0.4, damping=20_000)
    assert echoes[0, 0] == 1 and echoes[1, 4410] == pytest.approx(0.4) and echoes[0, 8820] == pytest.approx(0.2)


def test_room_decays_by_60_db_in_its_time() -> None:
    response = effects.room_response(np.random.default_rng(0), 0.8, 20_000, predelay=0.0)
    np.testing.assert_allclose(np.sum(response**2, axis=1), 1.0)
    envelope = 10 * np.log10(
        np.mean(response.reshape(2, -1)[:, : RATE * 8 // 10 // 882 * 882].reshape(2, -1, 882) ** 2, axis=(0, 2))
    )
    time = (np.arange(len(envelope)) + 0.5) * 882 / RATE
    late = time > 0.15  # after the early reflections
    assert np.polyfit(time[late], envelope[late], 1)[0] == pytest.approx(-60 / 0.8, rel=0.1)


def test_reverb_is_a_convolution_of_the_middle() -> None:
    rng = np.random.default_rng(0)
    sound, response = rng.standard_normal((2, 3000)), rng.standard_normal((2, 500))
    middle = effects.high_pass(sound.mean(axis=0), 120.0, 1)
    expected = np.stack([np.convolve(middle, side)[:3000] for side in response])
    np.testing.assert_allclose(effects.reverberate(sound, response, 0.3), sound + 0.3 * expected, atol=1e-9)


def test_saturation_has_unit_gain_for_soft_sounds_and_bounds_loud_ones() -> None:
    soft = np.linspace(-1e-3, 1e-3, 101)
    np.testing.assert_allclose(effects.saturate(soft, 12), soft, rtol=1e-4)
    assert np.abs(effects.saturate(np.array([100.0]), 6))[0] == pytest.approx(effects.decibels(-6))


@pytest.mark.parametrize("wave", ["saw", "pulse"])
def test_oscillator_has_the_harmonics_of_its_wave_and_little_aliasing(wave: str) -> None:
    frequency, length = 1375.0, RATE  # one second: every harmonic is a bin
    step = frequency / RATE
    spectrum = np.abs(np.fft.rfft(synth.oscillator(wave, np.arange(length) * step, step))) / (length / 2)
    expected = 2 / np.pi if wave == "saw" else 4 / np.pi
    assert spectrum[1375] == pytest.approx(expected, rel=0.02)
    assert spectrum[3 * 1375] == pytest.approx(expected / 3, rel=0.06)
    assert spectrum[2 * 1375] == pytest.approx(expected / 2 if wave == "saw" else 0, abs=0.03)
    harmonics = np.arange(1375, len(spectrum), 1375)
    folded = spectrum.copy()
    folded[harmonics] = 0
    folded[0] = 0
    naive = scipy_signal.sawtooth(2 * np.pi * np.arange(length) * step)
    worst = np.abs(np.fft.rfft(naive)) / (length / 2)
    worst[harmonics] = worst[0] = 0
    assert folded[:8000].max() < 0.2 * worst[:8000].max()


def test_swept_filter_at_rest_is_the_filter() -> None:
    noise = np.random.default_rng(0).standard_normal((2, RATE))
    cutoff = 80.0 * 2 ** (0.75 * 5)  # the sixth of the fixed filters
    swept = synth.sweep_low_pass(noise, np.full(RATE // 64 + 2, cutoff), 0.0)
    np.testing.assert_allclose(swept, effects.low_pass(noise, cutoff), atol=1e-9)


def test_synthesizer_plays_the_pitch_of_the_note() -> None:
    patch = synth.Patch("sine", 1, 0.0, cutoff=10_000, sweep=0, resonance=0)
    sound = synth.play([Note(0.1, 0.8, 69, 127)], patch, 1.2, np.random.default_rng(0))
    assert sound.shape == (2, round(1.2 * RATE)) and np.abs(sound[:, : RATE // 10]).max() == 0
    middle = sound[0, RATE // 4 : 3 * RATE // 4]
    assert np.argmax(np.abs(np.fft.rfft(middle))) * 2 == 440


def test_amplifier_makes_harmonics_below_the_cabinets_limit() -> None:
    time = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 220 * time) * 0.1
    loud = amplify(tone, 25.0, np.random.default_rng(0))
    assert effects.rms(loud) == pytest.approx(0.1)
    spectrum = 20 * np.log10(np.abs(np.fft.rfft(loud)) + 1e-9)
    third, noise = spectrum[660], np.median(spectrum[700:850])
    assert third > spectrum[220] - 30 and third > noise + 40
    assert spectrum[220:3000].max() > spectrum[12_000:].max() + 40
    assert np.array_equal(amplify(np.zeros(100), 20, np.random.default_rng(0)), np.zeros(100))
