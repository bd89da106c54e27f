"""What every part is made of: notes on a grid of beats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import mido
import numpy as np


class Note(NamedTuple):
    """A note of a part. `start` and `length` are in beats until `in_seconds`, in seconds after."""

    start: float
    length: float
    pitch: int
    """MIDI number, 60 is middle C; for drums the General MIDI number of the piece."""
    velocity: int
    """1 to 127."""
    slide: float = 0.0
    """Semitones above the pitch at which the note begins, before it slides to it; for parts of one voice."""

    @property
    def end(self) -> float:
        """Where the note ends, in the unit of `start`."""
        return self.start + self.length


@dataclass(frozen=True, eq=False)
class Part:
    """What one instrument plays."""

    program: int
    """General MIDI, from 0."""
    notes: list[Note]


def read_notes(track: mido.MidiTrack, ticks: float) -> list[Note]:
    """The notes of a MIDI track; times are in units of `ticks` ticks. A note ends where its pitch is played again."""
    now, notes = 0, []
    open_notes: dict[int, tuple[int, int]] = {}
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off"):
            continue
        if message.note in open_notes:
            start, velocity = open_notes.pop(message.note)
            notes.append(Note(start / ticks, (now - start) / ticks, message.note, velocity))
        if message.type == "note_on" and message.velocity:
            open_notes[message.note] = (now, message.velocity)
    return sorted(notes)


def window(notes: Iterable[Note], start: float, length: float) -> list[Note]:
    """The notes that begin within `length` beats from `start` on, with `start` as the new zero."""
    return [note._replace(start=note.start - start) for note in notes if start <= note.start < start + length]


def in_seconds(notes: Iterable[Note], bpm: float) -> list[Note]:
    """Notes in beats as notes in seconds at `bpm` beats a minute."""
    beat = 60 / bpm
    return [note._replace(start=note.start * beat, length=note.length * beat) for note in notes]


def humanize(notes: Sequence[Note], rng: np.random.Generator, seconds: float, velocity: float = 6.0) -> list[Note]:
    """Move each note (in seconds) by a normal error of `seconds` and its velocity by one of `velocity`."""
    moved = []
    for note in notes:
        start = max(0.0, note.start + seconds * float(np.clip(rng.standard_normal(), -2.5, 2.5)))
        loud = int(np.clip(round(note.velocity + velocity * rng.standard_normal()), 1, 127))
        moved.append(note._replace(start=start, velocity=loud))
    return moved


def one_voice(notes: Sequence[Note]) -> list[Note]:
    """The highest note at each time; each ends where the next begins."""
    line: list[Note] = []
    for note in sorted(notes, key=lambda note: (round(note.start, 2), -note.pitch)):
        if line and note.start - line[-1].start < 0.05:
            continue
        if line and line[-1].end > note.start:
            line[-1] = line[-1]._replace(length=note.start - line[-1].start)
        line.append(note)
    return line
