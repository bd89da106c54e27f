"""Many songs or recordings of drums on the disk: made in parallel, kept when they are there, never half-written.

out/
  song-0-00000/             seed and number
    drums.flac  bass.flac  other.flac  vocals.flac
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import soundfile

from htdemucs_n.audio import make_folder
from htdemucs_n.audio.integers import to_integers
from htdemucs_n.errors import UserError
from htdemucs_n.worker_process import follow_parent
from song_maker.drum_recording import DrumRecorder
from song_maker.effects import RATE, Signal
from song_maker.groove import GrooveSet
from song_maker.kit_list import held_out_kits, training_kits
from song_maker.mma import find_mma
from song_maker.pop909 import Pop909
from song_maker.separated_drums import SeparatedDrumRecorder
from song_maker.song import SongMaker
from song_maker.soundfonts import SoundFonts
from song_maker.voice_bank import VoiceBank

log = logging.getLogger(__name__)

FORMATS = ("flac", "wav")
"""What songs can be written as. Both give the same bytes for the same samples, which Vorbis files don't."""


class Maker(Protocol):
    """Makes songs, each known by a seed and a number."""

    def make(self, seed: int, number: int, seconds: float) -> dict[str, Signal]:
        """The stems `(2, T)` of a song by name; silent ones are left out."""
        ...


class Sources(Protocol):
    """What a maker needs, as values that another process can be given."""

    def open(self) -> Maker:
        """A maker. Raises `UserError` where a source is missing."""
        ...


@dataclass(frozen=True)
class SongSources:
    """What songs are made from."""

    pop909: Path
    groove: Path
    voices: Path | None = None
    """Folder of a voice bank; None for songs without `vocals`."""
    cache: Path = Path(".voices")
    """Folder that keeps the analysed voice bank."""

    def open(self) -> SongMaker:
        """See `Sources`."""
        voices = None if self.voices is None else VoiceBank(self.voices, self.cache)
        return SongMaker(Pop909(self.pop909), GrooveSet(self.groove), SoundFonts(), voices, find_mma())


@dataclass(frozen=True)
class DrumSources:
    """What recordings of drums are made from."""

    groove: Path
    muldjord: Path | None = None
    """Folder of MuldjordKit."""
    held_out: bool = False
    """The kits and performances that are never trained on, in place of the others."""
    behind: str | None = None
    """A model that separates the recordings from mixtures with `songs`; None leaves them as they are."""
    songs: Path | None = None
    """Folder of songs in stems."""

    def open(self) -> Maker:
        """See `Sources`."""
        training, scoring = GrooveSet(self.groove).split()
        if self.held_out:
            recorder = DrumRecorder(scoring, held_out_kits(), as_played=True)
        else:
            recorder = DrumRecorder(training, training_kits(SoundFonts(), self.muldjord))
        if self.behind is None or self.songs is None:
            return recorder
        return SeparatedDrumRecorder(recorder, self.songs, self.behind)


@dataclass(frozen=True)
class Request:
    """Which songs to make."""

    out: Path
    count: int
    seconds: float
    seed: int = 0
    form: str = "flac"

    def folder(self, number: int) -> Path:
        """Where song `number` is or will be."""
        return self.out / f"song-{self.seed}-{number:05d}"


def make_songs(
    sources: Sources, request: Request, workers: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[int, list[int]]:
    """Make the songs of `request` that aren't there yet: how many were made, and the numbers of those that failed.

    `progress` is told how many of how many are done.

    Raises:
        UserError: a source or FluidSynth is missing, or the folder cannot be written.
    """
    make_folder(request.out)
    missing = [number for number in range(request.count) if not request.folder(number).is_dir()]
    done, failed = request.count - len(missing), []
    progress(done, request.count)
    sources.open()  # a missing source is said once, and here
    # A fresh interpreter each: a fork would share the state of FluidSynth.
    with ProcessPoolExecutor(workers, get_context("spawn"), _open_in_worker, (sources,)) as pool:
        try:
            for future in as_completed([pool.submit(_make_in_worker, number, request) for number in missing]):
                number, made = future.result()
                done += 1
                failed += [] if made else [number]
                progress(done, request.count)
        finally:
            pool.shutdown(cancel_futures=True)  # nothing is begun after a full disk or Ctrl-C
    return len(missing) - len(failed), sorted(failed)


_maker: Maker | None = None
"""The maker of this worker process."""


def _open_in_worker(sources: Sources) -> None:
    global _maker
    follow_parent()
    _maker = sources.open()


def _make_in_worker(number: int, request: Request) -> tuple[int, bool]:
    assert _maker is not None
    return _make_one(number, request, _maker)


def _make_one(number: int, request: Request, maker: Maker) -> tuple[int, bool]:
    """Make a song and write it; whether it could be made."""
    try:
        stems = maker.make(request.seed, number, request.seconds)
    except UserError:
        raise
    except Exception:  # one song that fails must not lose the thousand others
        log.exception("song %d of seed %d", number, request.seed)
        return number, False
    write_song(request.folder(number), stems, request.form)
    return number, True


def write_song(folder: Path, stems: dict[str, Signal], form: str) -> None:
    """Write stems `(2, T)` as 16-bit files into `folder`, which appears when all are written.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, stem in stems.items():
            soundfile.write(part / f"{name}.{form}", to_integers(stem.T, 16), RATE)
        part.replace(folder)
    except (OSError, soundfile.SoundFileError) as error:
        raise UserError(f"cannot write '{folder}' ({error}): make room, or choose another folder") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
