"""Songs of POP909: melody, second melody, piano, chords and beats of 909 pop songs.

Source: Wang et al., "POP909: A Pop-song Dataset for Music Arrangement Generation", ISMIR 2020 (MIT licence).
Read out of the zip file, which is never unpacked:

    POP909/001/001.mid          tracks MELODY, BRIDGE, PIANO
    POP909/001/beat_midi.txt    seconds, strong beat, downbeat
    POP909/001/chord_midi.txt   start and end in seconds, chord symbol
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from htdemucs_n.errors import UserError
from song_maker.chords import Chord, parse_chord
from song_maker.notes import Note, read_notes

BAR = 4
"""Beats in a bar: songs in other metres are left out."""


@dataclass(frozen=True, eq=False)
class Score:
    """A song in beats; beat 0 is a downbeat."""

    name: str
    bpm: float
    melody: list[Note]
    bridge: list[Note]
    piano: list[Note]
    chords: list[Chord]


class Pop909:
    """The songs of a POP909 zip.

    Raises:
        UserError: no such file, not a zip, or no songs in it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._zip = open_zip(self.path)
        found = (re.fullmatch(r"(?:.*/)?(\d{3})/\1\.mid", name) for name in self._zip.namelist())
        self._members = sorted(match[0] for match in found if match)
        if not self._members:
            raise UserError(
                f"'{self.path}' contains no POP909 songs (POP909/001/001.mid): pass the zip of the data set"
            )

    def __len__(self) -> int:
        return len(self._members)

    def read(self, index: int) -> Score | None:
        """Song number `index`; None where it isn't in four beats, or where its files don't fit together."""
        member = self._members[index]
        folder = member.rsplit("/", 1)[0]
        try:
            beats = np.loadtxt(io.BytesIO(self._zip.read(f"{folder}/beat_midi.txt")), ndmin=2)
            chord_lines = self._zip.read(f"{folder}/chord_midi.txt").decode().splitlines()
            midi = mido.MidiFile(file=io.BytesIO(self._zip.read(member)))
        except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile):
            return None
        times, downbeats = beats[:, 0], np.flatnonzero(beats[:, 2])
        if len(downbeats) < 8 or np.median(np.diff(downbeats)) != BAR or np.any(np.diff(times) <= 0):
            return None

        def beat(seconds: float) -> float:
            return _to_beats(times, seconds) - float(downbeats[0])

        tracks = {track.name: _notes(midi, track) for track in midi.tracks}
        return Score(
            name=folder.rsplit("/", 1)[-1],
            bpm=60 / float(np.median(np.diff(times))),
            melody=_on_beats(tracks.get("MELODY", []), beat),
            bridge=_on_beats(tracks.get("BRIDGE", []), beat),
            piano=_on_beats(tracks.get("PIANO", []), beat),
            chords=_chords(chord_lines, beat),
        )


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip file to read. Raises `UserError` where it cannot be opened."""
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"'{path}' cannot be read as a zip file ({error}): download it again") from None


def _to_beats(times: NDArray[np.floating], seconds: float) -> float:
    """Beat number at `seconds`, linear between the beats at `times` `(N,)` and beyond them."""
    index = int(np.clip(np.searchsorted(times, seconds) - 1, 0, len(times) - 2))
    return index + float((seconds - times[index]) / (times[index + 1] - times[index]))


def _notes(midi: mido.MidiFile, track: mido.MidiTrack) -> list[Note]:
    """A track's notes in seconds; the whole file has one tempo."""
    tempo = next((message.tempo for part in midi.tracks for message in part if message.type == "set_tempo"), 500_000)
    return read_notes(track, midi.ticks_per_beat * 1e6 / tempo)


def _on_beats(notes: list[Note], beat: Callable[[float], float]) -> list[Note]:
    return [note._replace(start=beat(note.start), length=beat(note.end) - beat(note.start)) for note in notes]


def _chords(lines: list[str], beat: Callable[[float], float]) -> list[Chord]:
    """Chords on whole beats; those that last no beat are dropped."""
    chords = []
    for line in lines:
        fields = line.split()
        if len(fields) != 3:
            continue
        start, end = round(beat(float(fields[0]))), round(beat(float(fields[1])))
        chord = parse_chord(fields[2], start, end)
        if chord is not None and end > start:
            chords.append(chord)
    return chords
