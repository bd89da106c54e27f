"""Human drumming of the Groove MIDI set.

Source: Gillick et al., "Learning to Groove with Inverse Sequence Transformations", ICML 2019 (CC BY 4.0). Read out of
the zip file, which is never unpacked: `groove/drummer1/session1/5_jazz_120_beat_4-4.mid`; names give style, tempo
and metre.
"""

from __future__ import annotations

import copy
import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np

from htdemucs_n.errors import UserError
from song_maker.notes import Note
from song_maker.pop909 import BAR, open_zip

_MIN_BARS = 4

_GENERAL_MIDI = {22: 42, 26: 46, 40: 38, 50: 50, 58: 43, 55: 49, 52: 57, 59: 51}
"""Pads of the recorded kit (Roland TD-11) that General MIDI names otherwise."""


@dataclass(frozen=True)
class Groove:
    """A drum take, in beats; its `bars` can be played around and around."""

    style: str
    bpm: float
    bars: int
    notes: tuple[Note, ...]

    def play(self, first_bar: int, beats: float) -> list[Note]:
        """`beats` of the take from `first_bar` on; after its last bar comes its first."""
        cycle = self.bars * BAR
        shift = (first_bar % self.bars) * BAR
        played = []
        for lap in range(int(-(-(beats + shift) // cycle))):
            for note in self.notes:
                start = note.start + lap * cycle - shift
                if 0 <= start < beats:
                    played.append(note._replace(start=start))
        return sorted(played)


class GrooveSet:
    """The takes in 4/4 of a Groove MIDI zip that are at least four bars long.

    Raises:
        UserError: no such file, not a zip, or no takes in it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._zip = open_zip(self.path)
        found = (re.fullmatch(r".*/\d+_([^/_]+)_(\d+)_beat_4-4\.mid", name) for name in self._zip.namelist())
        self._members = sorted((match[1].split("-")[0], float(match[2]), match[0]) for match in found if match)
        if not self._members:
            raise UserError(
                f"'{self.path}' contains no drum takes (*_beat_4-4.mid): pass the zip of the Groove MIDI set"
            )

    def split(self) -> tuple[GrooveSet, GrooveSet]:
        """The set in two: nine of ten takes to train on, and every tenth, by name, to score on."""
        parts = copy.copy(self), copy.copy(self)
        parts[0]._members = [member for index, member in enumerate(self._members) if index % 10]
        parts[1]._members = self._members[::10]
        return parts

    def choose(self, styles: tuple[str, ...], rng: np.random.Generator) -> Groove:
        """A take in one of `styles`, or in any where the set has none of them."""
        fitting = [member for member in self._members if member[0] in styles]
        for members in (fitting, self._members):
            for index in rng.permutation(len(members)):
                groove = self._read(*members[index])
                if groove is not None:
                    return groove
        raise UserError(f"'{self.path}': no drum take is {_MIN_BARS} bars long; get the file again")

    def _read(self, style: str, bpm: float, member: str) -> Groove | None:
        try:
            midi = mido.MidiFile(file=io.BytesIO(self._zip.read(member)))
        except (ValueError, OSError, EOFError, zipfile.BadZipFile):
            return None
        notes, now = [], 0
        for message in mido.merge_tracks(midi.tracks):
            now += message.time
            if message.type == "note_on" and message.velocity:
                pitch = _GENERAL_MIDI.get(message.note, message.note)
                notes.append(Note(now / midi.ticks_per_beat, 0.1, pitch, message.velocity))
        bars = int(notes[-1].start // BAR) if notes else 0  # the last bar is rarely whole
        if bars < _MIN_BARS:
            return None
        return Groove(style, bpm, bars, tuple(note for note in notes if note.start < bars * BAR))
