"""Toms, hi-hats and cymbals made of decaying modes, against sums of them written out and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.special import jn_zeros

from song_maker.drum_kits import GROUPS
from song_maker.effects import RATE
from song_maker.modal_kit import _MEMBRANE, Body, ModalKit, decaying_modes, strike
from song_maker.notes import Note


@given(length=st.integers(1, 1600), modes=st.integers(1, 5), seed=st.integers(0, 99))
def test_modes_equal_recursive_filters(length: int, modes: int, seed: int) -> None:
    """Each mode is the response of a filter with one complex pole to one pulse."""
    rng = np.random.default_rng(seed)
    poles = -rng.uniform(1e-4, 1e-2, modes) + 2j * np.pi * rng.uniform(0, 0.5, modes)
    gains = rng.standard_normal((2, modes)) + 1j * rng.standard_normal((2, modes))
    pulse = np.zeros(length, dtype=complex)
    pulse[0] = 1
    responses = np.stack([lfilter([1], [1, -np.exp(pole)], pulse) for pole in poles])
    np.testing.assert_allclose(decaying_modes(poles, gains, length), np.real(gains @ responses), atol=2e-5)


def test_membrane_has_the_zeros_of_bessel_functions() -> None:
    zeros = np.sort(np.concatenate([jn_zeros(order, 4) for order in range(12)]))[: len(_MEMBRANE)]
    np.testing.assert_allclose(_MEMBRANE, zeros / zeros[0], atol=1e-3)


def test_a_mode_decays_by_60_db_in_its_time() -> None:
    body = Body(np.array([1000.0]), np.array([0.5]), np.array([1.0]), np.array([0.001]))
    sound = strike(body, 0.8, np.random.default_rng(0))

    def level(second: float) -> float:
        first = round(second * RATE)
        return float(20 * np.log10(np.sqrt(np.mean(sound[:, first : first + 441] ** 2))))

    assert level(0.1) - level(0.35) == pytest.approx(30, abs=0.3)


def test_a_hard_stroke_is_brighter() -> None:
    body = Body(np.array([500.0, 8000.0]), np.array([1.0, 1.0]), np.array([1.0, 1.0]), np.array([0.01, 0.01]))

    def treble(force: float) -> float:
        spectrum = np.abs(np.fft.rfft(strike(body, force, np.random.default_rng(5))[0][:RATE]))
        return float(20 * np.log10(spectrum[7900:8100].max() / spectrum[400:600].max()))

    assert treble(1.0) - treble(0.0) == pytest.approx(16, abs=0.1)  # 4 dB an octave, over four octaves


def test_kits_differ_and_one_seed_is_one_kit() -> None:
    hits = [Note(0.1 * place, 0.1, pitch, 100) for place, pitch in enumerate((42, 46, 49, 51, 53, 55, 41, 50))]
    first, again, other = (ModalKit(np.random.default_rng(seed)).play(hits, 1.0) for seed in (1, 1, 2))
    assert first.shape == (2, RATE)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


@pytest.mark.parametrize("group", ["kick", "snare", "percussion"])
def test_other_pieces_are_silent(group: str) -> None:
    sound = ModalKit(np.random.default_rng(0)).play([Note(0.0, 0.1, GROUPS[group][0], 100)], 0.2)
    assert not sound.any()


def test_takes_of_one_cymbal_share_their_modes() -> None:
    """Two hits differ, but their spectra have the same peaks; those of another kit have others."""

    def spectrum(seed: int, turn: int) -> np.ndarray:
        hits = [Note(0.0 if place == turn else 9.0, 0.1, 49, 100) for place in range(turn + 1)]
        sound = ModalKit(np.random.default_rng(seed)).play(hits, 3.0)
        return np.log(np.abs(np.fft.rfft(sound[0]))[1500:6000] + 1e-6)

    same = np.corrcoef(spectrum(3, 0), spectrum(3, 1))[0, 1]
    different = np.corrcoef(spectrum(3, 0), spectrum(4, 0))[0, 1]
    assert same > different + 0.2
