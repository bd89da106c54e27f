"""Files made of the lanes of a job: a mix as the faders stand, stems in another format, or a part of either."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from htdemucs_n.audio import open_audio, resample_blocks
from htdemucs_n.audio.formats import STEM_FILE, STEM_FILE_STEMS, Encoding, choose_encoding, nearest_rate
from htdemucs_n.audio.tags import read_tags
from htdemucs_n.errors import OptionError
from htdemucs_n.files import write_whole
from htdemucs_n.separation.clipping import Levels, clip_blocks
from htdemucs_n.separation.names import safe_name
from htdemucs_n.separation.stem_file import as_one_file, stem_file_tracks
from htdemucs_n.separation.track import write_files
from htdemucs_n.service.lanes import stem_blocks
from htdemucs_n.service.library import Library, NoSuchJob
from htdemucs_n.service.mix import Fader, mixed
from htdemucs_n.service.renderings import Renderings
from htdemucs_n.service.versions import Version, Versions

_ABOUT = "export.json"


class Export(BaseModel):
    """What a file is made of. With `mix`, its stems are added up; otherwise each of `stems` is a file of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mix: dict[str, Fader] | None = Field(default=None, min_length=1, description="the stems that are heard, and how")
    stems: list[str] | None = Field(default=None, min_length=1, description="the stems; null: all")
    title: str = Field(default="mix", max_length=60, description="of a mix, in the name of its file")
    start: float = Field(default=0.0, ge=0, description="where it begins, seconds")
    end: float | None = Field(default=None, gt=0, description="where it ends, seconds; null: with the song")
    tempo: float = Field(default=1.0, ge=0.5, le=2)
    pitch: float = Field(default=0.0, ge=-12, le=12, description="semitones")
    format: str = Field(default="wav", description="wav, flac, mp3, ogg, opus, m4a or stem.mp4")
    depth: str | None = Field(default=None, description="int16, int24 or float32 of wav, flac and stem.mp4")
    bitrate: int | None = Field(default=None, description="kbit/s of lossy formats")


class Exported(BaseModel):
    """A file that was made."""

    id: str
    file: str = Field(description="its name")
    sample_rate: int = Field(description="Hz")
    gain: float = Field(description="by which all was scaled, because it exceeded full scale; otherwise 1")
    notes: list[str]


class Exports:
    """The files that were made of the lanes of all jobs."""

    def __init__(self, library: Library, versions: Versions, renderings: Renderings) -> None:
        self._library, self._versions, self._renderings = library, versions, renderings

    def make(self, job: str, export: Export) -> Exported:
        """Make a file, or find it again.

        Raises:
            UserError: there is no such job, stem or format, or the file cannot be written.
        """
        names = self._lanes(job, export)
        version = Version(export.tempo, export.pitch)
        folder = self._renderings.folder(
            job, export.model_dump_json(), lambda part: self._write(job, names, version, export, part)
        )
        return Exported.model_validate_json((folder / _ABOUT).read_bytes()).model_copy(update={"id": folder.name})

    def file(self, job: str, export: str) -> Path:
        """A file that was made. Raises `NoSuchJob` where it is no longer there."""
        folder = self._renderings.found(job, export)
        if folder is None or not (folder / _ABOUT).exists():
            raise NoSuchJob("there is no such file, or no longer: make it again")
        return folder / Exported.model_validate_json((folder / _ABOUT).read_bytes()).file

    def _lanes(self, job: str, export: Export) -> list[str]:
        """The stems that are needed, in the order of the file. Raises `UserError` for what cannot be made."""
        choose_encoding(export.format, export.depth, export.bitrate, None)
        lanes = self._versions.sound(job).lanes
        if export.format == STEM_FILE:
            if export.mix is not None or export.stems is not None or set(lanes) != set(STEM_FILE_STEMS):
                raise OptionError(f"the format {STEM_FILE} holds {', '.join(STEM_FILE_STEMS)}: choose all stems")
            return list(STEM_FILE_STEMS)
        return list(export.mix) if export.mix is not None else list(dict.fromkeys(export.stems or lanes))

    def _write(self, job: str, names: list[str], version: Version, export: Export, folder: Path) -> None:
        found, sound = self._library.job(job), self._versions.sound(job, version)
        files = self._versions.paths(job, names, version)
        start = round(export.start * sound.sample_rate)
        end = sound.length if export.end is None else min(sound.length, round(export.end * sound.sample_rate))
        if start >= end:
            raise OptionError("the part to be written is empty: it has to end after its start, within the song")
        encoding, rate = _encoding(export, files[0], sound.sample_rate)
        blocks = stem_blocks(files, sound, start, end)
        if export.mix is not None:
            faders = list(export.mix.values())
            blocks = (mixed(block, faders)[None] for block in blocks)
        elif export.format == STEM_FILE:
            blocks = map(stem_file_tracks, blocks)
        levels = Levels()
        mode = "rescale" if encoding.clips else "none"
        clipped = clip_blocks(_resampled(blocks, sound.sample_rate, rate), mode, rate, levels, folder)
        titles = [safe_name(export.title) or "mix"] if export.mix is not None else names
        if export.format == STEM_FILE:
            clipped, titles = map(as_one_file, clipped), ["stems"]
        targets = [folder / f"{title}.{encoding.suffix}" for title in titles]
        write_files(clipped, targets, rate, encoding, read_tags(self._library.song(found)))
        name = targets[0].name if len(targets) == 1 else _packed(targets).name
        notes = _notes(levels.gain, rate, sound.sample_rate, encoding)
        about = Exported(id="", file=name, sample_rate=rate, gain=levels.gain, notes=notes)
        write_whole(folder / _ABOUT, about.model_dump_json())


def _encoding(export: Export, stem: Path, rate: int) -> tuple[Encoding, int]:
    """How the file is written, and its sample rate."""
    with open_audio(stem) as audio:
        encoding = choose_encoding(export.format, export.depth, export.bitrate, audio.depth)
    return encoding, nearest_rate(export.format, rate)


def _resampled(blocks: Iterator[NDArray[np.float32]], old_rate: int, new_rate: int) -> Iterator[NDArray[np.float32]]:
    """Blocks `(S, C, n)` at another rate."""
    shape: tuple[int, ...] = ()

    def flat() -> Iterator[NDArray[np.float32]]:
        nonlocal shape
        for block in blocks:
            shape = block.shape[:2]
            yield block.reshape(-1, block.shape[2])

    for block in resample_blocks(flat(), old_rate, new_rate):
        yield block.reshape(*shape, -1)


def _packed(files: list[Path]) -> Path:
    """Files in one zip file, in place of them."""
    place = files[0].with_name("stems.zip")
    with zipfile.ZipFile(place, "w") as packed:
        for file in files:
            packed.write(file, file.name)
            file.unlink()
    return place


def _notes(gain: float, rate: int, of_stems: int, encoding: Encoding) -> list[str]:
    notes = []
    if gain < 1:
        notes.append(f"the result exceeded full scale, so all of it was scaled by {gain:.3f}")
    if rate != of_stems:
        notes.append(f"{encoding.format} cannot hold the sample rate of the song: the file is at {rate} Hz")
    return notes
