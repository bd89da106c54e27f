"""The lanes of a job as files: as they were separated, and in another tempo and pitch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio.formats import choose_encoding
from htdemucs_n.files import write_whole
from htdemucs_n.separation.clipping import Levels, clip_blocks
from htdemucs_n.separation.track import write_files
from htdemucs_n.service.job import Job
from htdemucs_n.service.lanes import ORIGINAL, Sound, song_blocks, sound_of, stem_blocks
from htdemucs_n.service.library import Library, NoSuchJob
from htdemucs_n.service.peaks import outline
from htdemucs_n.service.renderings import Renderings
from htdemucs_n.service.stretch import stretched

_BLOCK = 2**16


@dataclass(frozen=True)
class Version:
    """How the lanes are played: `tempo` times as fast, and `pitch` semitones higher."""

    tempo: float = 1.0
    pitch: float = 0.0


PLAIN = Version()
"""As the song was separated."""


class Versions:
    """The lanes of all jobs. What is not there yet is computed when it is asked for."""

    def __init__(self, library: Library, renderings: Renderings) -> None:
        self._library, self._renderings = library, renderings

    def sound(self, job: str, version: Version = PLAIN) -> Sound:
        """What the lanes of a finished job have in common. Raises `NoSuchJob` where there are none."""
        found = self._library.job(job)
        if not found.files:
            raise NoSuchJob("the job has no results yet")
        files = {name: self._library.stems(found) / file for name, file in found.files.items()}
        sound = sound_of(files, found.seconds or 0.0)
        return sound.model_copy(update={"length": max(1, round(sound.length / version.tempo))})

    def path(self, job: str, name: str, version: Version = PLAIN) -> Path:
        """The file of a lane, which may be `original`.

        Raises:
            NoSuchJob: there is no such lane.
            UserError: it cannot be computed.
        """
        return self.paths(job, [name], version)[0]

    def paths(self, job: str, names: Sequence[str], version: Version = PLAIN) -> list[Path]:
        """The files of lanes, as `path` gives each."""
        found = self._library.job(job)
        for name in names:
            if name != ORIGINAL or not found.files:
                self._library.result(job, name)
        if version != PLAIN:
            folder = self._renderings.folder(job, str(version), lambda part: self._change(found, version, part))
            return [folder / f"{name}.flac" for name in names]
        return [self._original(found) if name == ORIGINAL else self._library.result(job, name)[1] for name in names]

    def peaks(self, job: str, name: str, version: Version = PLAIN) -> bytes:
        """The outline of a lane, which is computed once."""
        path = self.path(job, name, version)
        if version == PLAIN and name != ORIGINAL:
            return self._library.peaks(job, name)
        kept = path.with_suffix(".peaks")
        if not kept.exists():
            write_whole(kept, outline(path))
        return kept.read_bytes()

    def _original(self, job: Job) -> Path:
        def make(folder: Path) -> None:
            sound = self.sound(job.id)
            blocks = (block[None] for block in song_blocks(self._library.song(job), sound))
            _write(blocks, [ORIGINAL], sound.sample_rate, "int16", folder)

        return self._renderings.folder(job.id, ORIGINAL, make) / f"{ORIGINAL}.flac"

    def _change(self, job: Job, version: Version, folder: Path) -> None:
        """Write all lanes in another version. They are changed together, as the channels of one sound."""
        sound, names = self.sound(job.id), [*job.files, ORIGINAL]
        files = [self._library.stems(job) / file for file in job.files.values()]
        song = song_blocks(self._library.song(job), sound)
        lanes = np.empty((len(names), sound.channels, sound.length), np.float32)
        place = 0
        for stems, mixture in zip(stem_blocks(files, sound), song, strict=True):
            lanes[:-1, :, place : place + stems.shape[2]] = stems
            lanes[-1, :, place : place + stems.shape[2]] = mixture
            place += stems.shape[2]
        together = lanes.reshape(-1, sound.length)
        changed = stretched(together, sound.sample_rate, version.tempo, version.pitch)
        shaped = changed.reshape(len(names), sound.channels, -1)
        blocks = (shaped[..., at : at + _BLOCK] for at in range(0, shaped.shape[2], _BLOCK))
        _write(blocks, names, sound.sample_rate, "int24", folder)


def _write(blocks: Iterator[NDArray[np.float32]], names: Sequence[str], rate: int, depth: str, folder: Path) -> None:
    """Write lanes `(S, C, n)` as FLAC; where one exceeds full scale, all are scaled."""
    clipped = clip_blocks(blocks, "rescale", rate, Levels(), folder)
    write_files(clipped, [folder / f"{name}.flac" for name in names], rate, choose_encoding("flac", depth, None, None))
