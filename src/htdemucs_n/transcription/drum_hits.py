"""The hits of a part of the drums: when its spectrum grows, and how loud it is then.

Source of the growth: Boeck and Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013, as in
librosa.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import librosa
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from htdemucs_n.transcription.features import FLUX_HOP, Values
from htdemucs_n.transcription.note import Note
from htdemucs_n.transcription.pieces import RATE, without_margins


@dataclass(frozen=True)
class Piece:
    """What plays the hits of a part, and what counts as a hit.

    `growth` is how much the bands of its spectrum must grow, in dB, as a mean. `range` is how many dB a hit may be
    quieter than the loudest of its part, and `share` how many quieter than all parts together are at that moment:
    what is below is taken for the remains of another part.
    """

    pitch: int
    """General MIDI number."""
    growth: float
    range: float
    share: float


PIECES = {
    "kick": Piece(36, growth=0.5, range=20, share=12),
    "snare": Piece(38, growth=1.5, range=20, share=20),
    "toms": Piece(45, growth=1.5, range=16, share=25),
    "hihat": Piece(42, growth=1.5, range=30, share=30),
    "cymbals": Piece(49, growth=1.5, range=18, share=30),
}
"""By the name of the part."""

_WINDOW = 1024
_BANDS = 40
_DEPTH = 50.0
"""dB below the loudest band of a part in which changes count."""

_SILENT = -70.0
"""dB of full scale below which a part is silent."""

_FAINT = -25.5
"""dB of the song below which its drums are taken for remains of other stems: no drums play."""

_APART = 3
"""Values between two hits, 35 ms."""

_LAG = 2
"""Values over which the growth is measured, 23 ms."""

_RING = 0.1
"""Seconds that a note lasts: General MIDI drums ring as long as they do."""


def measure_bands(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The bands of the mel spectrum of a piece, `(F, bands)` in dB of full scale, without its margins."""
    mel = librosa.feature.melspectrogram(y=samples, sr=RATE, n_fft=_WINDOW, hop_length=FLUX_HOP, n_mels=_BANDS)
    levels = librosa.power_to_db(mel / (_WINDOW / 4) ** 2, ref=1.0, amin=1e-12, top_db=None)
    return np.stack([without_margins(band, FLUX_HOP) for band in levels], axis=1)


class Loudness:
    """How loud the parts of the drums are beside the song, each where it is loudest: drums may play for a while only.

    A model finds some drums in every song, and the hits of each part are measured by its own loudest ones.
    """

    def __init__(self) -> None:
        self._drums = self._song = 0.0

    def add(self, parts: Iterable[NDArray[np.float32]], song: NDArray[np.float32]) -> None:
        """Take in the next piece of each part and of the song."""
        self._drums = max(self._drums, sum(float(np.vdot(part, part)) for part in parts))
        self._song = max(self._song, float(np.vdot(song, song)))

    @property
    def faint(self) -> bool:
        """Whether the drums are so quiet that none can be in the song."""
        return self._drums < self._song * 10 ** (_FAINT / 10)


def find_hits(parts: Mapping[str, NDArray[np.float32]]) -> list[Note]:
    """The hits of all parts of one song, in order, from their bands `(F, bands)` by the names of `PIECES`."""
    powers = {name: (10 ** (bands / 10)).sum(axis=1) for name, bands in parts.items()}
    total = np.zeros(max(map(len, powers.values()), default=0))
    for power in powers.values():
        total[: len(power)] += power
    whole = _level(total)
    return sorted(
        hit for name, bands in parts.items() for hit in _hits_of(PIECES[name], bands, _level(powers[name]), whole)
    )


def _level(power: Values) -> Values:
    """The level at a hit in dB: the largest of the values just after it."""
    return 10 * np.log10(maximum_filter1d(power, 5, origin=-2) + 1e-12)


def _hits_of(piece: Piece, bands: NDArray[np.float32], level: Values, whole: Values) -> list[Note]:
    """The hits of one part, with velocities from the level relative to its loudest hits."""
    loudest = float(np.percentile(level, 99.5))
    if loudest < _SILENT:
        return []
    growth = _growth(np.maximum(bands, bands.max() - _DEPTH))
    is_peak = growth >= maximum_filter1d(growth, 2 * _APART + 1)
    is_loud = (level > loudest - piece.range) & (level > whole[: len(level)] - piece.share)
    hits = []
    for frame in np.flatnonzero(is_peak & is_loud & (growth > piece.growth)).tolist():
        time = frame * FLUX_HOP / RATE
        velocity = round(110 * 10 ** ((level[frame] - loudest) / 40))
        hits.append(Note(time, time + _RING, piece.pitch, int(np.clip(velocity, 1, 127))))
    return hits


def _growth(bands: NDArray[np.float32]) -> Values:
    """How much the bands `(F, bands)` grow, `(F,)` in dB, as a mean."""
    before = maximum_filter1d(np.pad(bands, ((_LAG, 0), (0, 0)), mode="edge")[: len(bands)], 3, axis=1)
    return np.asarray(np.maximum(bands - before, 0).mean(axis=1), np.float64)
