"""The tempo, the beats and the key of a song. It needs librosa, which is imported with this module.

Source of the key: Krumhansl, "Cognitive Foundations of Musical Pitch", 1990, chapter 4: the profile of a key, of 24,
that correlates most with how strong each pitch class is.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import librosa
import numpy as np
from numpy.typing import NDArray

from htdemucs_n.service.facts import Facts
from htdemucs_n.transcription.beats import find_beats
from htdemucs_n.transcription.drum_hits import PIECES
from htdemucs_n.transcription.features import measure_flux
from htdemucs_n.transcription.pieces import MARGIN, RATE, mono_pieces

_TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

_PROFILES = {
    False: (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),  # major
    True: (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),  # minor
}
"""How well each pitch class above the tonic fits, by whether the key is a minor one."""

_UNPITCHED = ("drums", *PIECES)
"""Stems that have no part in the key."""

_WINDOW, _HOP = 8192, 4096

_LEAST_BEATS = 4
"""Fewer are not a tempo."""

_UNEVEN = 0.1
"""Part of a beat by which the first one may be off."""

_SILENCE = 1e-9
"""Mean strength of the strongest pitch class below which there is no key."""


def find_facts(stems: Mapping[str, Path]) -> Facts:
    """The facts of a song from the files of its stems: beats of their sum, and the key of all that are no drums.

    Raises:
        AudioError: a file cannot be read.
    """
    flux, chroma = [], np.zeros(12)
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(mono_pieces(path))) for path in stems.values()]
        for pieces in zip(*streams, strict=False):
            flux.append(measure_flux(np.sum(pieces, axis=0)))
            pitched = [piece for name, piece in zip(stems, pieces, strict=True) if name not in _UNPITCHED]
            chroma += _chroma(np.sum(pitched or pieces, axis=0))
    tempo, beats = _pulse(find_beats(np.concatenate(flux)).times)
    tonic, minor = _key(chroma)
    return Facts(tempo=tempo, beats=beats, tonic=tonic, minor=minor)


def _pulse(times: NDArray[np.float64]) -> tuple[float | None, list[float]]:
    """Beats a minute, and the beats. The tracker puts one at the beginning, which may be none, and is then left out."""
    if len(times) < _LEAST_BEATS:
        return None, []
    period = float(np.median(np.diff(times[1:])))
    if abs(times[1] - times[0] - period) > _UNEVEN * period:
        times = times[1:]
    return 60 / period, [round(time, 3) for time in times.tolist()]


def _chroma(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """How strong each pitch class is in a piece, `(12,)`, without its margins."""
    inner = samples[MARGIN:-MARGIN]
    if not np.any(inner):
        return np.zeros(12)
    chroma = librosa.feature.chroma_stft(y=inner, sr=RATE, n_fft=_WINDOW, hop_length=_HOP, norm=None)
    return np.asarray(np.sqrt(chroma).sum(axis=1), np.float64)


def _key(chroma: NDArray[np.float64]) -> tuple[str | None, bool]:
    """The tonic of a key and whether it is a minor one, from the strength of the pitch classes `(12,)`."""
    if chroma.max() < _SILENCE or np.ptp(chroma) == 0:
        return None, False
    fits = {
        (tonic, minor): float(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1])
        for minor, profile in _PROFILES.items()
        for tonic in range(12)
    }
    tonic, minor = max(fits, key=lambda key: fits[key])
    return _TONICS[tonic], minor
