"""Bass lines over chords, in the patterns of popular music. All times are in beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from song_maker.chords import Chord, chord_at
from song_maker.notes import Note

LOWEST, HIGHEST = 28, 52
"""MIDI range of a bass: its open E, and the E two octaves higher."""

PATTERNS = (
    "roots",
    "eighths",
    "quarters",
    "root_fifth",
    "kick",
    "octaves",
    "walking",
    "syncopated",
    "long",
    "arpeggio",
)
"""Names that `bass_line` knows."""


def bass_line(
    pattern: str, chords: list[Chord], beats: float, kicks: Sequence[float], rng: np.random.Generator
) -> list[Note]:
    """A line of one voice over `chords`; `kicks` are the beats of the bass drum, which pattern `kick` plays with."""
    centre = int(rng.integers(31, 38))
    onsets = _onsets(pattern, beats, kicks, rng)
    staccato = rng.uniform(0.5, 0.98)
    line: list[Note] = []
    for index, onset in enumerate(onsets):
        until = onsets[index + 1] if index + 1 < len(onsets) else beats
        chord = chord_at(chords, onset)
        first = not line or chord_at(chords, line[-1].start) is not chord
        root = _near(chord.bass, centre)
        pitch = _pitch(pattern, chord, root, index, onset, first, chord_at(chords, until), rng)
        accent = 12 if onset % 1 < 0.05 else 0
        length = (until - onset) * (0.98 if pattern in ("roots", "long") else staccato)
        slide = float(rng.choice([-2, -1, 2])) if rng.random() < 0.04 else 0.0
        velocity = int(np.clip(88 + accent + 8 * rng.standard_normal(), 30, 127))
        line.append(Note(onset, length, pitch, velocity, slide))
    return line


def _onsets(pattern: str, beats: float, kicks: Sequence[float], rng: np.random.Generator) -> list[float]:
    """The beats where notes begin, rising; the same rhythm for two bars, now and then with a note left out."""
    if pattern == "kick":
        chosen: list[float] = []
        for kick in kicks:
            if not chosen or kick - chosen[-1] > 0.2:
                chosen.append(kick)
        return chosen or [float(beat) for beat in range(int(beats))]
    steps = {"roots": 2.0, "long": 4.0, "quarters": 1.0, "walking": 1.0, "root_fifth": 1.0}.get(pattern, 0.5)
    grid = [step * steps for step in range(int(8 / steps))]
    if pattern == "syncopated":
        grid = [0.0] + [place / 4 for place in range(1, 32) if rng.random() < (0.45 if place % 2 == 0 else 0.2)]
    elif pattern == "arpeggio" and rng.random() < 0.5:
        grid = [place for place in grid if place % 2 not in (0.5,)]
    onsets = [bar * 8 + place for bar in range(int(beats // 8) + 1) for place in grid]
    return [onset for onset in onsets if onset < beats and (onset == 0 or rng.random() > 0.02)]


def _near(pitch_class: int, centre: int) -> int:
    """The note of `pitch_class` nearest to `centre`, within a bass's range."""
    pitch = centre + (pitch_class - centre + 6) % 12 - 6
    return pitch + 12 if pitch < LOWEST else pitch


def _pitch(
    pattern: str,
    chord: Chord,
    root: int,
    index: int,
    onset: float,
    first: bool,
    following: Chord,
    rng: np.random.Generator,
) -> int:
    """The note at `onset`; the first of each chord is its bass note."""
    if first or pattern in ("roots", "long", "quarters"):
        return root
    fifth, octave = _reachable(root + chord.fifth), _reachable(root + 12)
    if pattern == "root_fifth":
        return fifth if index % 2 else root
    if pattern == "octaves":
        return octave if index % 2 else root
    if pattern == "arpeggio":
        steps = [*chord.intervals[:3], 12]
        return _reachable(root + steps[index % len(steps)])
    if pattern == "walking":
        if following is not chord and rng.random() < 0.8:  # lead into the next chord by a half step
            target = _near(following.bass, root)
            return int(np.clip(target + rng.choice([-1, 1, 2]), LOWEST, HIGHEST))
        return _reachable(root + int(rng.choice([*chord.intervals, 12])))
    chance = rng.random()
    if pattern == "eighths":
        return fifth if chance > 0.96 else root
    return fifth if chance > 0.88 else octave if chance > 0.8 else root


def _reachable(pitch: int) -> int:
    """The pitch, or the same note in a lower octave where a bass doesn't reach it."""
    return pitch - 12 * max(0, -(-(pitch - HIGHEST) // 12))
