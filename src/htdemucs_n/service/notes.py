"""The notes of a job: transcribed from its stems when they are asked for, as a MIDI file and for a piano roll."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from pydantic import BaseModel, Field

from htdemucs_n.errors import require_packages
from htdemucs_n.files import write_whole
from htdemucs_n.separation.drum_kit import DRUMS
from htdemucs_n.service.library import Library, NoSuchJob
from htdemucs_n.service.renderings import Renderings

_FREE, _QUANTISED, _ROLL = "free.mid", "quantised.mid", "notes.json"


class RollNote(BaseModel):
    """A note of a piano roll."""

    start: float = Field(description="seconds")
    end: float = Field(description="seconds")
    pitch: int = Field(description="MIDI number")
    velocity: int = Field(description="1 to 127")


class Roll(BaseModel):
    """The notes of a job."""

    bpm: float = Field(description="beats a minute, the mean over the song")
    parts: dict[str, list[RollNote]] = Field(description="by stem, or by part of the drums where the job has these")
    remarks: list[str] = Field(description="what was left out, each in one line")


class Notes:
    """The notes of all jobs."""

    def __init__(self, library: Library, renderings: Renderings) -> None:
        self._library, self._renderings = library, renderings

    def midi(self, job: str, quantise: bool) -> Path:
        """The MIDI file of a finished job. Raises as `roll`."""
        return self._folder(job) / (_QUANTISED if quantise else _FREE)

    def roll(self, job: str) -> Roll:
        """The notes of a finished job.

        Raises:
            NoSuchJob: there is no such job, or it has no results.
            UserError: librosa or mido is not installed, or no stem can be transcribed.
        """
        roll = Roll.model_validate_json((self._folder(job) / _ROLL).read_bytes())
        return roll.model_copy(update={"parts": _by_lane(roll.parts, self._library.job(job).files)})

    def _folder(self, job: str) -> Path:
        if not self._library.job(job).files:
            raise NoSuchJob("the job has no results yet")
        require_packages("finding notes", "transcribe", "librosa", "mido")
        return self._renderings.folder(job, "notes", lambda part: self._write(job, part))

    def _write(self, job: str, folder: Path) -> None:
        from htdemucs_n.separation import Separator
        from htdemucs_n.separation.drum_kit import DRUM_KIT
        from htdemucs_n.transcription import transcribe, write_midi
        from htdemucs_n.transcription.songs import with_drum_parts

        found = self._library.job(job)
        stems = {name: self._library.stems(found) / file for name, file in found.files.items()}
        with with_drum_parts(stems, lambda: Separator(DRUM_KIT)) as all_stems:
            song = transcribe(all_stems)
        for name, quantise in ((_FREE, False), (_QUANTISED, True)):
            write_midi(folder / name, found.name, song.beats, song.parts, quantise)
        parts = {
            part.name: [
                RollNote(start=note.start, end=note.end, pitch=note.pitch, velocity=note.velocity)
                for note in part.notes
            ]
            for part in song.parts
        }
        write_whole(folder / _ROLL, Roll(bpm=song.beats.bpm, parts=parts, remarks=song.remarks).model_dump_json())


def _by_lane(parts: dict[str, list[RollNote]], lanes: Container[str]) -> dict[str, list[RollNote]]:
    """The notes by lane: those of the drums, which are one part of MIDI, go to the lanes of their parts."""
    from htdemucs_n.transcription.drum_hits import PIECES

    if DRUMS in lanes:
        return parts
    by_part = {
        name: [note for note in parts.get(DRUMS, []) if note.pitch == piece.pitch] for name, piece in PIECES.items()
    }
    others = {name: notes for name, notes in parts.items() if name != DRUMS}
    return {name: notes for name, notes in by_part.items() if notes} | others
