"""From the features of a voice to its notes.

A hidden Markov model whose states are silence and the semitones follows the pitch: it stays on a note through vibrato
and short errors, and changes where another semitone is heard for long enough. Onsets then divide notes that are struck
again, and give their beginnings a finer place than the window of the pitch has.

Source of the model: Mauch et al., "Computer-aided melody note transcription using the Tony software", TENOR 2015.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import librosa
import numpy as np
from numpy.typing import NDArray

from htdemucs_n.transcription.features import FLUX_HOP, PitchTrack, Values
from htdemucs_n.transcription.note import Note
from htdemucs_n.transcription.pieces import FRAME, RATE

_SECONDS = FRAME / RATE
"""Of a frame."""

_SILENT = -50.0
"""dB below the loudest frame of the stem: what is softer is no note. Remainders of other stems lie there."""

_NEVER = -65.0
"""dB of full scale: what is softer is no note in any stem."""

_LEAST_GROWTH = 0.7
"""dB that the spectrum grows at an onset, at least, above its mean around it."""

_SHORTEST = 0.1
"""Seconds that a note lasts, at least."""

_NEAR = 0.08
"""Seconds between an onset and the beginning of the note that it belongs to, at most."""

_APART = 0.08
"""Seconds between the onset of a note that is struck again and its ends, at least."""

_SPREAD = 0.5
"""Semitones, standard deviation of the pitch around its note."""

_FAR, _UNVOICED, _IGNORED, _CHANGE = 8.0, 3.0, 3.0, 4.0
"""Costs, negative logarithms of probabilities up to a constant: of a frame of another pitch, at most; of a frame
without pitch in a note; of a frame with pitch in silence; and of a change of the state."""

_BEND_STEP = 0.05
"""Semitones by which the pitch must move before a bend is written."""

_WIDEST = 1.0
"""Semitones beside a note that are its bend; what is farther belongs to the note before or after."""


def find_notes(voice: PitchTrack, lowest: int, highest: int) -> list[Note]:
    """The notes of a stem of one voice, of MIDI numbers from `lowest` to `highest`, in order and without overlap."""
    loudest = voice.level.max(initial=_NEVER)
    heard = np.isfinite(voice.pitch) & (voice.level > max(_NEVER, loudest + _SILENT))
    pitch = np.where(heard, voice.pitch, np.nan)
    onsets = _onsets(voice.flux)
    runs = _runs(_states(pitch, lowest, highest))
    spans = _apart([span for run in runs for span in _divided(run, onsets)])
    levels = [voice.level[_inside(span)].max() for span in spans]
    top = max(levels, default=0.0)
    return [
        Note(span.start, span.end, lowest + span.state, _velocity(level - top), _bends(pitch, span, lowest))
        for span, level in zip(spans, levels, strict=True)
    ]


class _Span(NamedTuple):
    """A state, not silence, from one time to another, in seconds."""

    start: float
    end: float
    state: int


def _onsets(flux: Values) -> Values:
    """Times in seconds at which the spectrum grows suddenly."""
    near = round(0.03 * RATE / FLUX_HOP)
    peaks = librosa.util.peak_pick(
        flux, pre_max=near, post_max=near, pre_avg=4 * near, post_avg=4 * near, delta=_LEAST_GROWTH, wait=near
    )
    return np.asarray(peaks) * FLUX_HOP / RATE


def _states(pitch: Values, lowest: int, highest: int) -> NDArray[np.intp]:
    """The likeliest state of each frame `(F,)`: -1 for silence, or semitones above `lowest`."""
    semitones = np.arange(lowest, highest + 1)
    stay = np.arange(len(semitones) + 1)
    came_from = np.zeros((len(pitch), len(stay)), np.int16)
    total, unvoiced = np.zeros(len(stay)), np.array([0.0, *np.full(len(semitones), _UNVOICED)])
    for frame, heard in enumerate(pitch.tolist()):
        best = int(total.argmin())
        changes = total[best] + _CHANGE < total
        came_from[frame] = np.where(changes, best, stay)
        total = np.where(changes, total[best] + _CHANGE, total)
        if np.isnan(heard):
            total += unvoiced
        else:
            total[0] += _IGNORED
            total[1:] += np.minimum(0.5 * ((heard - semitones) / _SPREAD) ** 2, _FAR)
    path = np.empty(len(pitch), np.intp)
    state = int(total.argmin())
    for frame in range(len(pitch) - 1, -1, -1):
        path[frame] = state
        state = int(came_from[frame, state])
    return path - 1


def _runs(states: NDArray[np.intp]) -> Iterator[_Span]:
    """The notes of a path of states. A frame stands for the time around its middle."""
    edges = np.flatnonzero(np.diff(states, prepend=-2, append=-2))
    for first, last in itertools.pairwise(edges):
        if states[first] >= 0:
            yield _Span(max(0.0, (first - 0.5) * _SECONDS), (last - 0.5) * _SECONDS, int(states[first]))


def _divided(run: _Span, onsets: Values) -> Iterator[_Span]:
    """A note, from the onset near its beginning if there is one, divided at the onsets within it."""
    near = onsets[np.abs(onsets - run.start) <= _NEAR]
    start = float(near[-1]) if len(near) else run.start
    inside = onsets[(onsets > start + _APART) & (onsets < run.end - _APART)]
    for first, last in itertools.pairwise([start, *inside.tolist(), run.end]):
        if last - first >= _SHORTEST:
            yield _Span(first, last, run.state)


def _apart(spans: list[_Span]) -> list[_Span]:
    """Notes that end where the next begins at the latest; one that would begin after the next is left out."""
    ends = [following.start for following in spans[1:]] + [np.inf]
    cut = [span._replace(end=min(span.end, end)) for span, end in zip(spans, ends, strict=False)]
    return [span for span in cut if span.end > span.start]


def _inside(span: _Span) -> slice:
    """The frames of a note, at least one."""
    first = round(span.start / _SECONDS)
    return slice(first, max(first + 1, round(span.end / _SECONDS)))


def _velocity(level: float) -> int:
    """The velocity of a note `level` dB above the loudest, which has 112.

    By the curve that the General MIDI Level 2 specification recommends, 40 log10(velocity / 127) dB.
    """
    return int(np.clip(round(112 * 10 ** (level / 40)), 1, 127))


def _bends(pitch: Values, span: _Span, lowest: int) -> tuple[tuple[float, float], ...]:
    """How the pitch moves around a note: the median of three frames, where it has changed by `_BEND_STEP`."""
    frames = _inside(span)
    moved = pitch[frames] - (lowest + span.state)
    moved[np.abs(moved) > _WIDEST] = np.nan
    bends: list[tuple[float, float]] = []
    for index in np.flatnonzero(np.isfinite(moved)).tolist():
        value = float(np.nanmedian(moved[max(0, index - 1) : index + 2]))
        if not bends or abs(value - bends[-1][1]) >= _BEND_STEP:
            bends.append((max(span.start, (frames.start + index) * _SECONDS), value))
    return tuple(bends)
