"""Chords: reading their symbols, and voicing them for keyboards and guitars.

The symbols are those of Harte et al., "Symbolic representation of musical chords", ISMIR 2005, as POP909 writes them:
`Bb:min7/5`, `N` for no chord.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_DEGREES = {1: 0, 2: 2, 3: 4, 4: 5, 5: 7, 6: 9, 7: 11, 9: 14, 11: 17, 13: 21}
_QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "7": (0, 4, 7, 10),
    "dim7": (0, 3, 6, 9),
    "hdim7": (0, 3, 6, 10),
    "minmaj7": (0, 3, 7, 11),
    "maj6": (0, 4, 7, 9),
    "min6": (0, 3, 7, 9),
    "maj9": (0, 4, 7, 11, 14),
    "min9": (0, 3, 7, 10, 14),
    "9": (0, 4, 7, 10, 14),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "5": (0, 7),
}

OPEN_STRINGS = (40, 45, 50, 55, 59, 64)
"""MIDI pitches of a guitar in standard tuning."""


@dataclass(frozen=True)
class Chord:
    """A chord from `start` to `end`, in beats."""

    start: float
    end: float
    root: int
    """Pitch class, 0 is C."""
    intervals: tuple[int, ...]
    """Semitones above the root, rising from 0."""
    bass: int
    """Pitch class of the lowest note."""

    def transposed(self, semitones: int) -> Chord:
        """The chord `semitones` higher."""
        return Chord(self.start, self.end, (self.root + semitones) % 12, self.intervals, (self.bass + semitones) % 12)

    def moved(self, beats: float, stretch: float = 1.0) -> Chord:
        """The chord `beats` earlier, then with times `stretch` times as long."""
        return Chord((self.start - beats) * stretch, (self.end - beats) * stretch, self.root, self.intervals, self.bass)

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes of the chord, the root first."""
        return tuple(dict.fromkeys((self.root + step) % 12 for step in self.intervals))

    @property
    def fifth(self) -> int:
        """Semitones from the root to the fifth, altered as the chord has it."""
        return next((step for step in self.intervals if step in (6, 7, 8)), 7)


def parse_chord(symbol: str, start: float, end: float) -> Chord | None:
    """Read a chord symbol; None for `N`, and for what is none. An unknown quality is read as its triad."""
    match = re.fullmatch(r"([A-G])([#b]*)(?::([^/(]*))?(?:\([^)]*\))?(?:/([#b]*)(\d+))?", symbol)
    if match is None:
        return None
    step, accidentals, quality, bass_sign, bass_degree = match.groups()
    root = (_STEPS[step] + accidentals.count("#") - accidentals.count("b")) % 12
    quality = quality or "maj"
    intervals = _QUALITIES.get(quality) or _QUALITIES["min" if quality.startswith("min") else "maj"]
    bass = root
    if bass_degree:
        bass += _DEGREES.get(int(bass_degree), 0) + bass_sign.count("#") - bass_sign.count("b")
    return Chord(start, end, root, intervals, bass % 12)


def close_voicing(chord: Chord, centre: int) -> list[int]:
    """All notes of the chord within an octave around MIDI pitch `centre`: what a hand on a keyboard takes."""
    return sorted(centre - 6 + (pitch_class - (centre - 6)) % 12 for pitch_class in chord.pitch_classes)


def guitar_voicing(chord: Chord, position: int = 0) -> list[int]:
    """A chord on six strings: on each the lowest note of the chord at or above fret `position`, from the root up."""
    voicing: list[int] = []
    for string in OPEN_STRINGS:
        lowest = string + position
        pitch = min(lowest + (pitch_class - lowest) % 12 for pitch_class in chord.pitch_classes)
        if voicing or pitch % 12 == chord.root:
            voicing.append(pitch)
    return voicing or close_voicing(chord, 52)


def power_chord(chord: Chord, lowest: int, octave: bool = True) -> list[int]:
    """Root, fifth and, with `octave`, the root again; the root is the first one at or above MIDI pitch `lowest`."""
    root = lowest + (chord.root - lowest) % 12
    return [root, root + chord.fifth] + ([root + 12] if octave else [])


def chord_at(chords: list[Chord], beat: float) -> Chord:
    """The chord that sounds at `beat`, or the last one before it; the first where there is none."""
    found = chords[0]
    for chord in chords:
        if chord.start > beat + 1e-6:
            break
        found = chord
    return found
