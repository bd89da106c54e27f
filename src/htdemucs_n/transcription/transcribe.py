"""The stems of a song to notes, piece by piece: memory does not grow with the samples of a song."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio.read import open_audio
from htdemucs_n.errors import AudioError, Cancelled
from htdemucs_n.separation.separator import Progress
from htdemucs_n.transcription.beats import Beats, find_beats
from htdemucs_n.transcription.drum_hits import PIECES, Loudness, find_hits, measure_bands
from htdemucs_n.transcription.features import PitchTrack, joined, measure_flux, measure_voice
from htdemucs_n.transcription.midi_file import Part
from htdemucs_n.transcription.note import Note
from htdemucs_n.transcription.pieces import PIECE, RATE, mono_pieces
from htdemucs_n.transcription.polyphony import ADVICE, can_transcribe, find_chords
from htdemucs_n.transcription.segment import find_notes

PIECE_SECONDS = PIECE / RATE


@dataclass(frozen=True)
class Instrument:
    """What plays the notes of a stem of one voice, and the range of MIDI numbers in which they are looked for."""

    program: int
    channel: int
    lowest: int
    highest: int

    def part(self, stem: str, notes: list[Note], chords: bool = False) -> Part:
        """The part that plays `notes`."""
        return Part(stem, self.program, self.channel, notes, chords)


VOICES = {
    "bass": Instrument(program=33, channel=0, lowest=26, highest=67),  # a fingered bass
    "vocals": Instrument(program=53, channel=1, lowest=38, highest=84),  # a voice that sings "ooh"
}
"""By stem."""

CHORDS = {"other": Instrument(program=0, channel=2, lowest=21, highest=108)}  # a piano
"""Stems with several notes at a time."""

DRUM_CHANNEL = 9
"""From 0: the channel of General MIDI whose notes are drums."""


@dataclass(frozen=True, eq=False)
class Transcription:
    """The parts of a song, its beats, and in `remarks` what was left out, each in one line."""

    beats: Beats
    parts: list[Part]
    remarks: list[str] = field(default_factory=list)


def transcribe(
    stems: Mapping[str, Path], progress: Progress | None = None, cancel: Event | None = None
) -> Transcription:
    """Transcribe the files of the stems of one song, by the names of the stems.

    The beats are those of the sum of all files. `bass` and `vocals` become notes, `other` where the package
    `basic-pitch` is installed, and the parts of the drums (`kick`, `snare` and so on, see `drum_hits.PIECES`) notes of
    General MIDI drums, none where they are so quiet that the song has no drums. `progress` is called with the pieces
    of 20 s done, and their number, 0 if not known.

    Raises:
        UserError: there is none of these stems, or a file cannot be read.
        Cancelled: `cancel` was set.
    """
    known = [*VOICES, *CHORDS, *PIECES]
    if not any(name in stems for name in known):
        raise AudioError(f"there is nothing to transcribe: none of the stems {', '.join(known)} is there")
    flux: list[NDArray[np.float64]] = []
    voices: dict[str, list[PitchTrack]] = {name: [] for name in VOICES if name in stems}
    drums: dict[str, list[NDArray[np.float32]]] = {name: [] for name in PIECES if name in stems}
    loudness = Loudness()
    twice = PIECES if "drums" in stems else ()  # the parts of the drums are in them
    total = _count(list(stems.values()))
    for done, pieces in enumerate(_together(stems), 1):
        for name, measured in voices.items():
            if name in pieces:
                measured.append(measure_voice(pieces[name], VOICES[name].lowest, VOICES[name].highest))
        for name, bands in drums.items():
            if name in pieces:
                bands.append(measure_bands(pieces[name]))
        song = _sum([piece for name, piece in pieces.items() if name not in twice])
        loudness.add([pieces[name] for name in drums if name in pieces], song)
        flux.append(measure_flux(song))
        if cancel is not None and cancel.is_set():
            raise Cancelled
        if progress is not None:
            progress(done, total)
    parts = []
    for name, measured in voices.items():
        instrument = VOICES[name]
        notes = find_notes(joined(measured), instrument.lowest, instrument.highest)
        parts.append(instrument.part(name, notes))
    if drums:
        heard = {} if loudness.faint else drums
        hits = find_hits({name: np.concatenate(bands) for name, bands in heard.items()})
        parts.append(Part("drums", 0, DRUM_CHANNEL, hits, chords=True))
    remarks = []
    for name in CHORDS.keys() & stems.keys():
        if can_transcribe():
            parts.append(CHORDS[name].part(name, find_chords(stems[name]), chords=True))
        else:
            remarks.append(ADVICE)
    return Transcription(find_beats(np.concatenate(flux)), parts, remarks)


def _together(stems: Mapping[str, Path]) -> Iterator[dict[str, NDArray[np.float32]]]:
    """The pieces of all stems, those of one time together; a stem that has ended is left out."""
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(mono_pieces(path))) for path in stems.values()]
        for pieces in zip_longest(*streams):
            yield {name: piece for name, piece in zip(stems, pieces, strict=True) if piece is not None}


def _sum(pieces: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The sum of pieces, as long as the longest."""
    mixture = np.zeros(max(map(len, pieces)), np.float32)
    for piece in pieces:
        mixture[: len(piece)] += piece
    return mixture


def _count(files: Sequence[Path]) -> int:
    """Pieces of the longest file, by the headers; 0 where one has no length."""
    most = 0
    for file in files:
        with open_audio(file) as stream:
            if stream.length is None:
                return 0
            most = max(most, -(-stream.length * RATE // (stream.sample_rate * PIECE)))
    return most
