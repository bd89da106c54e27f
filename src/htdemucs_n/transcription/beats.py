"""The beats of a song, and the place of a time among them.

Source of the tracker: Ellis, "Beat tracking by dynamic programming", Journal of New Music Research 36(1), 2007, as in
librosa.
"""

from __future__ import annotations

from dataclasses import dataclass

import librosa
import numpy as np

from htdemucs_n.transcription.features import FLUX_HOP, Values
from htdemucs_n.transcription.pieces import RATE

_USUAL = 120.0
"""Beats a minute of a song in which none are found, and what the tracker prefers among multiples of a tempo."""

_STEADY = 0.03
"""Seconds by which beats may lie beside an even pulse, root mean square, in a song of one tempo."""

_AROUND = 8
"""Beats before and after one that smooth its place in a song whose tempo changes."""

_TEMPO_PIECE = 4096
"""Values of the flux, 48 s, whose correlations are computed at once."""


@dataclass(frozen=True, eq=False)
class Beats:
    """Times of beats in seconds, `(N,)`, N > 1; the first is 0 and counts as beat 0."""

    times: Values

    @property
    def bpm(self) -> float:
        """Beats a minute, the mean over the song."""
        return 60 * (len(self.times) - 1) / float(self.times[-1] - self.times[0])

    def place(self, seconds: float) -> float:
        """The number of beats until a time, linear between beats and beyond the last."""
        index = int(np.clip(np.searchsorted(self.times, seconds, side="right") - 1, 0, len(self.times) - 2))
        start, end = self.times[index : index + 2]
        return index + float((seconds - start) / (end - start))


def find_beats(flux: Values) -> Beats:
    """The beats of a song from its flux `(2 F,)`. Beats go on evenly before the first and so begin at time 0."""
    if flux.max(initial=0.0) <= 0.0:
        return Beats(np.array([0.0, 60 / _USUAL]))
    _, frames = librosa.beat.beat_track(onset_envelope=flux, sr=RATE, hop_length=FLUX_HOP, bpm=_tempo(flux))
    found = _even(np.asarray(frames) * FLUX_HOP / RATE)
    return Beats(found if len(found) > 1 else np.array([0.0, 60 / _USUAL]))


def _tempo(flux: Values) -> float:
    """Beats a minute, from the mean of the autocorrelations around all times, which is taken in pieces."""
    total = np.zeros(1)
    for start in range(0, len(flux), _TEMPO_PIECE):
        piece = librosa.feature.tempogram(
            onset_envelope=flux[start : start + _TEMPO_PIECE], sr=RATE, hop_length=FLUX_HOP, norm=None
        )
        total = total + piece.sum(axis=1)
    return float(librosa.feature.tempo(tg=total[:, None], sr=RATE, hop_length=FLUX_HOP, start_bpm=_USUAL)[0])


def _even(times: Values) -> Values:
    """Beats without the errors of single ones, from time 0 on: the beats of one tempo if it explains all."""
    if len(times) < 4:
        return times[:0]
    numbers = np.arange(len(times))
    period, first = np.polyfit(numbers, times, 1)
    if np.sqrt(np.mean((times - first - period * numbers) ** 2)) < _STEADY:
        lead = round(first / period)  # of less than half a beat, it becomes a part of the first
        return np.concatenate([[0.0], first + period * np.arange(1 if lead < 1 else -lead + 1, len(times))])
    smooth = np.array([_fitted(times, number) for number in numbers.tolist()])
    lead = max(0, round(smooth[0] / (smooth[1] - smooth[0])))
    before = np.linspace(0, smooth[0], lead + 1)[:-1] if lead else np.zeros(1)
    return np.concatenate([before, smooth if lead else smooth[1:]])


def _fitted(times: Values, number: int) -> float:
    """The place of one beat by a line through those around it."""
    around = np.arange(max(0, number - _AROUND), min(len(times), number + _AROUND + 1))
    return float(np.polyfit(around - number, times[around], 1)[1])
