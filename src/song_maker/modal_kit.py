"""Toms, hi-hats and cymbals as sums of decaying modes. Each kit is drawn at random, so there is no end of them.

A struck plate or drum head sounds at the frequencies of its modes, and each mode decays exponentially. The modes of a
flat plate are spread evenly over the frequencies, one for every 10 to 80 Hz with the sizes of cymbals, and the modes of
a membrane are the zeros of Bessel functions (Fletcher and Rossing, The Physics of Musical Instruments, chapters 3, 18
and 20). A hard stroke on a cymbal excites the high modes late, since it moves energy from the low modes into them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from song_maker import effects
from song_maker.drum_kits import GROUPS, place_hits
from song_maker.effects import RATE, Signal
from song_maker.notes import Note

_BLOCK = 512
_MEMBRANE = np.array([1, 1.593, 2.136, 2.295, 2.653, 2.917, 3.155, 3.500, 3.598, 3.647, 4.059, 4.132, 4.230, 4.601])
"""Frequencies of the modes of a membrane, relative to the lowest."""

_PIECES = (*GROUPS["toms"], *GROUPS["hihat"], *GROUPS["cymbals"])

_HEIGHTS = {pitch: place for place, pitch in enumerate((41, 43, 45, 47, 48, 50))}
"""The place of each tom between the lowest and the highest."""


@dataclass(frozen=True)
class Body:
    """What sounds: the same for each hit on it.

    Args:
        frequencies: those of the modes in Hz, `(M,)`.
        decays: seconds in which each mode falls by 60 dB, `(M,)`.
        levels: amplitudes of the modes, `(M,)`.
        rises: seconds in which the late part of each mode rises, `(M,)`.
        late: share of the amplitude that rises late, from 0 to 1.
        noise: level of the noise of the stroke, relative to the modes.
        bend: by how much the pitch is higher at the beginning, relative to the pitch.
    """

    frequencies: NDArray[np.float64]
    decays: NDArray[np.float64]
    levels: NDArray[np.float64]
    rises: NDArray[np.float64]
    late: float = 0.0
    noise: float = 0.0
    bend: float = 0.0


class ModalKit:
    """A kit whose toms, hi-hat and cymbals are drawn by `rng`; it has no other piece."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._hats, self._toms = _hats(rng), _toms(rng)
        self._bodies: dict[int, Body] = {}
        self._sounds: dict[tuple[int, int, int], Signal] = {}

    def play(self, hits: Sequence[Note], seconds: float) -> Signal:
        """See `Kit`; a piece has three layers of velocity and three takes of each. All other pieces are silent."""
        sounds: dict[Note, Signal] = {}
        for turn, hit in enumerate(hits):
            if hit.pitch not in _PIECES:
                sounds[hit] = np.zeros((2, 1))
                continue
            layer = hit.velocity * 3 // 128
            key = hit.pitch, layer, turn % 3
            if key not in self._sounds:
                self._sounds[key] = strike(self._body(hit.pitch), (layer + 0.5) / 3, self._rng)
            sounds[hit] = self._sounds[key] * (hit.velocity / 127)
        return place_hits(hits, seconds, sounds)

    def _body(self, pitch: int) -> Body:
        if pitch not in self._bodies:
            self._bodies[pitch] = self._draw(pitch)
        return self._bodies[pitch]

    def _draw(self, pitch: int) -> Body:
        if pitch in _HEIGHTS:
            return self._toms[_HEIGHTS[pitch]]
        if pitch in GROUPS["hihat"]:
            return self._hats[pitch]
        return _ride(self._rng, bell=pitch == 53) if pitch in (51, 53, 59) else _crash(self._rng, pitch)


def strike(body: Body, force: float, rng: np.random.Generator) -> Signal:
    """A hit `(2, T)` with a peak of 1. The place of the stroke is another one each time, `force` goes from 0 to 1."""
    count = len(body.frequencies)
    places = rng.standard_normal((2, 2, count))  # both microphones hear a part in common
    gains = (places[:, :1] + 0.7 * rng.standard_normal((2, 2, count))) * np.array([1, 1j])[:, None, None]
    softness = (force - 0.8) * 4  # dB an octave around 1 kHz
    tilt = 10 ** (softness * np.log2(body.frequencies / 1000) / 20)
    gains = gains.sum(axis=0) * body.levels * tilt
    poles = (-np.log(1000) / body.decays + 2j * np.pi * body.frequencies) / RATE
    first = RATE // 20
    length = max(first, int(min(4.0, float(body.decays.max())) * RATE))
    sound: Signal = decaying_modes(poles, gains, length)
    if body.late:
        missing = min(length, int(7 * body.rises.max() * RATE))
        faster = poles - 1 / (body.rises * RATE)
        sound[:, :missing] -= body.late * force * decaying_modes(faster, gains, missing)
    click: Signal = rng.standard_normal((1, first)) + 0.5 * rng.standard_normal((2, first))
    fast = np.exp(-np.arange(first) / (RATE * rng.uniform(0.0007, 0.004)))
    click = effects.high_pass(click, rng.uniform(800, 4000)) * fast
    sound[:, :first] = sound[:, :first] + click * (body.noise * np.abs(sound).max() / np.abs(click).max())
    if body.bend:
        time = np.arange(length) + body.bend * force * 0.06 * RATE * (1 - np.exp(-np.arange(length) / (0.06 * RATE)))
        sound = np.stack([np.interp(time, np.arange(length), side) for side in sound])
    sound[:, -first:] *= np.linspace(1, 0, first)
    return sound / np.abs(sound).max()


def decaying_modes(poles: NDArray[np.complex128], gains: NDArray[np.complex128], length: int) -> Signal:
    """The real part of the sum of `gains * exp(poles * n)` over the modes, for n from 0 to `length` - 1.

    Args:
        poles: `(M,)`, for each sample.
        gains: `(C, M)`.
        length: samples T.

    Returns:
        `(C, T)`. A mode at sample n = k N + i is the product of its values at k N and at i, so all samples are one
        matrix product.
    """
    starts = np.exp(poles[:, None] * np.arange(0, length, _BLOCK))
    inside = np.exp(poles[:, None] * np.arange(_BLOCK)).astype(np.complex64)
    starts = (gains[:, :, None] * starts).astype(np.complex64).transpose(0, 2, 1)
    blocks: NDArray[np.float32] = starts.real @ inside.real - starts.imag @ inside.imag
    return blocks.reshape(len(gains), -1)[:, :length].astype(np.float64)


def _plate(
    rng: np.random.Generator, lowest: float, spacing: float, ring: float, treble: float, peak: float, slope: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies, decays and levels of the modes of a plate.

    Args:
        rng: draws them.
        lowest: Hz of the lowest mode.
        spacing: mean distance of the modes in Hz.
        ring: seconds of decay by 60 dB of the low modes.
        treble: Hz at which the modes decay twice as fast.
        peak: Hz of the strongest modes.
        slope: dB an octave by which the level falls on both sides of the peak.
    """
    frequencies = lowest + np.cumsum(rng.exponential(spacing, int((19_000 - lowest) / spacing)))
    frequencies = frequencies[frequencies < 20_000]
    spread = np.exp(0.35 * rng.standard_normal(len(frequencies)))
    decays = ring / (1 + frequencies / treble) * spread
    octaves = np.log2(frequencies / peak)
    knots = np.linspace(np.log2(lowest / peak), np.log2(20_000 / peak), 7)
    uneven = np.interp(octaves, knots, rng.normal(0, 4, len(knots)))
    # A bin of a spectrum has as many modes at any frequency, so that the level is one for a bin.
    levels = 10 ** ((uneven - slope * np.abs(octaves)) / 20)
    return frequencies, np.maximum(decays, 0.03), levels


def _crash(rng: np.random.Generator, pitch: int) -> Body:
    """A crash cymbal, or a splash (55) or a china (52)."""
    short = {55: 0.35, 52: 0.6}.get(pitch, 1.0)
    modes = _plate(
        rng,
        rng.uniform(80, 350) / short**0.5,
        rng.uniform(18, 60) / short**0.5,
        short * _between(rng, 2.5, 9),
        _between(rng, 2500, 12_000),
        _between(rng, 900, 8000),
        rng.uniform(0.5, 4),
    )
    rises = rng.uniform(0.01, 0.07) * (0.3 + modes[0] / 8000)
    return Body(*modes, rises, rng.uniform(0.5, 1.1), rng.uniform(0.0, 0.4))


def _ride(rng: np.random.Generator, bell: bool) -> Body:
    """A ride cymbal: a click and a tone above a quiet wash. On its bell a few low modes are strong."""
    frequencies, decays, levels = _plate(
        rng,
        rng.uniform(80, 350),
        rng.uniform(18, 60),
        _between(rng, 3, 12),
        _between(rng, 2000, 10_000),
        _between(rng, 1500, 8000),
        rng.uniform(0.5, 4),
    )
    ping = rng.choice(len(frequencies), rng.integers(4, 16), p=_towards(frequencies, 900 if bell else 3000))
    levels[ping] *= rng.uniform(4, 12) if bell else rng.uniform(1, 6)
    decays[ping] *= rng.uniform(0.5, 1.0)
    wash = rng.uniform(0.1, 1.0)
    dry = np.ones(len(frequencies), dtype=bool)
    dry[ping] = False
    levels[dry] *= wash
    return Body(
        frequencies, decays, levels, rng.uniform(0.003, 0.03) * np.ones(len(levels)), rng.uniform(0, 0.6),
        rng.uniform(0.2, 1.2),
    )  # fmt: skip


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number that is as often near `low` as near `high`, on a logarithmic scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _towards(frequencies: NDArray[np.float64], centre: float) -> NDArray[np.float64]:
    """Chances of the modes `(M,)`, the larger the nearer they are to `centre` in Hz."""
    chances = np.exp(-(np.log2(frequencies / centre) ** 2))
    return chances / chances.sum()


def _hats(rng: np.random.Generator) -> dict[int, Body]:
    """Closed (42), pedalled (44) and open (46) hi-hat: the same two plates, which damp each other."""
    frequencies, decays, levels = _plate(
        rng,
        rng.uniform(100, 450),
        rng.uniform(20, 80),
        _between(rng, 1.2, 6),
        _between(rng, 3000, 14_000),
        _between(rng, 3000, 11_000),
        rng.uniform(1, 5),
    )
    rises = np.full(len(levels), rng.uniform(0.002, 0.03))
    late, noise = rng.uniform(0, 0.9), rng.uniform(0, 0.8)

    def damped(seconds: float, click: float) -> Body:
        both = 1 / (1 / decays + 1 / seconds)
        return Body(frequencies, np.maximum(both, 0.02), levels, rises, late, noise * click)

    closed = _between(rng, 0.1, 1.0)
    return {
        42: damped(closed, 1.0),
        44: damped(closed * rng.uniform(0.5, 1.2), 0.3),
        46: damped(_between(rng, 1.5, 15), 0.5),
    }


def _toms(rng: np.random.Generator) -> list[Body]:
    """Six toms from low to high, of one make: their modes have the same ratios, decays and levels."""
    lowest, highest = rng.uniform(55, 95), rng.uniform(130, 260)
    ratios = 1 + (_MEMBRANE - 1) * rng.uniform(0.85, 1.1)
    shell = np.cumsum(rng.exponential(0.4, 60)) + 2.5
    ratios = np.concatenate([ratios, ratios * rng.uniform(1.02, 1.25), shell])  # the second head is tuned higher
    decays = _between(rng, 0.4, 2.5) / ratios ** rng.uniform(0, 0.5) * np.exp(0.3 * rng.standard_normal(len(ratios)))
    levels = ratios ** -rng.uniform(0.8, 1.8) * np.exp(0.5 * rng.standard_normal(len(ratios)))
    noise, bend = rng.uniform(0.05, 0.7), rng.choice([0.0, rng.uniform(0.02, 0.3)])
    rises = np.full(len(ratios), 0.001)
    return [
        Body(lowest * (highest / lowest) ** (place / 5) * ratios, decays, levels, rises, 1.0, noise, bend)
        for place in range(6)
    ]
