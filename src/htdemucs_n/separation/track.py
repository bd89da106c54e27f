"""One song from its file to the files of its stems, as a stream."""

from __future__ import annotations

import io
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio.channels import at_most_stereo
from htdemucs_n.audio.file_view import FileView
from htdemucs_n.audio.formats import STEM_FILE, STEM_FILE_STEMS, Encoding, choose_encoding, nearest_rate
from htdemucs_n.audio.headers import is_wav_without_samples
from htdemucs_n.audio.read import open_audio
from htdemucs_n.audio.resample import resample_blocks
from htdemucs_n.audio.stream import AudioStream, checked_blocks
from htdemucs_n.audio.tags import NO_TAGS, Tags, read_tags
from htdemucs_n.audio.write import AudioWriter
from htdemucs_n.background import in_background
from htdemucs_n.engines.engine import memory_checked
from htdemucs_n.errors import AudioError, OptionError
from htdemucs_n.separation.clipping import CLIP_MODES, Levels, clip_blocks
from htdemucs_n.separation.separator import Progress, Separator
from htdemucs_n.separation.stem_file import FILE_NAME, as_one_file, stem_file_tracks
from htdemucs_n.separation.stems import StemChoice

STANDARD = Path("-")
"""In place of a file: standard input or output."""

_STANDARD_INPUT = "standard input"
"""Its name in messages."""

_NO_MEMORY = "not enough memory to separate '{}': end other programs, or use a shorter segment, such as 2 s"

_LOST = 0.25
"""Seconds that must be missing before a note says so: encoders pad and trim a little."""


@dataclass(frozen=True)
class Output:
    """How stems are written; what is None is the input's, or follows from the rest.

    Raises:
        UserError: an unknown format or mode, a value that the format does not take, or a rate out of range.
    """

    format: str = "wav"
    depth: str | None = None
    bitrate: int | None = None
    sample_rate: int | None = None
    clip_mode: str | None = None
    tags: bool = True

    def __post_init__(self) -> None:
        choose_encoding(self.format, self.depth, self.bitrate, None)
        if self.clip_mode is not None and self.clip_mode not in CLIP_MODES:
            raise OptionError(f"unknown clip mode '{self.clip_mode}': choose one of {', '.join(CLIP_MODES)}")
        if self.sample_rate is not None and not 1000 <= self.sample_rate <= 384_000:
            raise OptionError(f"sample rate {self.sample_rate}: it takes 1000 to 384000 Hz")


@dataclass
class Outcome:
    """The result of a song: seconds of audio, seconds of work, the gain of the stems, and notes for the user."""

    seconds: float = 0.0
    elapsed: float = 0.0
    gain: float = 1.0
    notes: list[str] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Seconds of audio per second."""
        return self.seconds / max(self.elapsed, 1e-9)


def separate_track(
    path: Path,
    files: Mapping[str, Path],
    separator: Separator,
    choice: StemChoice,
    output: Output,
    progress: Progress | None = None,
    cancel: Event | None = None,
) -> Outcome:
    """Separate the file `path` (or standard input, `-`) into `files`, one per stem of `choice`.

    Stems of `choice` without a file are not written, but count for the gain: those that were written before then add
    up with the others. The names of the files of a stem file are those of
    `htdemucs_n.separation.stem_file.file_names`. Every file appears whole or not at all; a single one may be `-`,
    standard output.

    Raises:
        UserError: the input cannot be read, the output not written, or not enough memory.
        Cancelled: `cancel` was set.
    """
    start, outcome, levels = time.perf_counter(), Outcome(), Levels()
    to_pipe = STANDARD in files.values()
    folder = None if to_pipe else _existing_parent(next(iter(files.values())))
    with memory_checked(_NO_MEMORY.format(path)), ExitStack() as stack:
        stream = stack.enter_context(_open(path))
        encoding = choose_encoding(output.format, output.depth, output.bitrate, stream.depth)
        mode = output.clip_mode or (("clamp" if to_pipe else "rescale") if encoding.clips else "none")
        rate = nearest_rate(output.format, output.sample_rate or stream.sample_rate)
        tags = read_tags(path) if output.tags and path != STANDARD and _may_have_tags(path) else NO_TAGS
        counter = _Counter()
        read = resample_blocks(counter.count(_stereo_blocks(stream, path)), stream.sample_rate, rate)
        blocks = stack.enter_context(closing(in_background(read)))  # ends its thread before the file is closed
        length = None if stream.length is None else round(stream.length * rate / stream.sample_rate)
        separated = separator.stream(blocks, rate, length, progress, cancel)
        if output.format == STEM_FILE:
            tracks = (stem_file_tracks(_stacked(choice, STEM_FILE_STEMS, block)) for block in separated)
            clipped: Iterable[NDArray[np.float32]] = map(as_one_file, clip_blocks(tracks, mode, rate, levels, folder))
            targets: Sequence[Path | BinaryIO] = [_seekable(files[FILE_NAME])]
        else:
            wanted = [name for name in choice.names if name in files]
            chosen = (_stacked(choice, choice.names, block) for block in separated)
            clipped = clip_blocks(chosen, mode, rate, levels, folder, [choice.names.index(name) for name in wanted])
            targets = [_target(files[name]) for name in wanted]
        write_files(clipped, targets, rate, encoding, tags)
    outcome.seconds, outcome.gain = counter.samples / stream.sample_rate, levels.gain
    outcome.elapsed = time.perf_counter() - start
    outcome.notes = _notes(stream, counter.samples, rate, encoding, output, mode, levels)
    return outcome


def write_files(
    blocks: Iterable[NDArray[np.float32]],
    targets: Sequence[Path | BinaryIO],
    rate: int,
    encoding: Encoding,
    tags: Tags = NO_TAGS,
) -> None:
    """Write blocks `(S, C, n)`, one file per stem, each by a thread of its own while the next block is made.

    Raises:
        OutputError: a file cannot be written.
    """
    with ExitStack() as stack:
        writers: list[AudioWriter] = []
        pool = stack.enter_context(ThreadPoolExecutor(len(targets)))
        pending: list[Future[None]] = []
        for block in blocks:
            if not writers:  # not before the input has shown that it can be separated
                writers = [
                    stack.enter_context(AudioWriter(target, rate, block.shape[1], encoding, tags)) for target in targets
                ]
            for done in pending:
                done.result()
            pending = [pool.submit(writer.write, samples) for writer, samples in zip(writers, block, strict=True)]
        for done in pending:
            done.result()


def _stacked(
    choice: StemChoice, wanted: Sequence[str], block: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """The wanted stems of a block, `(S, C, n)`."""
    picked = dict(zip(choice.names, choice.pick(block), strict=True))
    return np.stack([picked[name] for name in wanted])


def _notes(
    stream: AudioStream, read: int, rate: int, encoding: Encoding, output: Output, mode: str, levels: Levels
) -> list[str]:
    notes = []
    missing = 0.0 if stream.length is None else (stream.length - read) / stream.sample_rate
    if missing > _LOST:
        whole = read / stream.sample_rate + missing
        notes.append(
            f"the file is cut short: the first {read / stream.sample_rate:.1f} s of {whole:.1f} s could be read"
        )
    elif stream.damaged:
        notes.append(f"{stream.damaged} damaged place(s) could not be read and were left out")
    if stream.channels > 2:
        notes.append(f"its {stream.channels} channels were mixed down to stereo")
    if rate != (output.sample_rate or stream.sample_rate):
        notes.append(f"{encoding.format} cannot hold its sample rate: the stems are at {rate} Hz")
    if mode == "rescale" and levels.gain < 1:
        notes.append(
            f"a stem exceeded full scale, so all stems were scaled by {levels.gain:.3f} (--float32 keeps the levels)"
        )
    if mode == "limit" and levels.gain < 1:
        notes.append(
            f"a stem exceeded full scale, so all stems were reduced around its peaks (lowest gain {levels.gain:.3f})"
        )
    if mode in ("clamp", "none") and levels.clipped and (encoding.clips or mode == "clamp"):
        notes.append("a stem exceeded full scale and was clipped, so the stems do not add up to the song there")
    return notes


class _Counter:
    """Counts the samples of a stream."""

    def __init__(self) -> None:
        self.samples = 0

    def count(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        for block in blocks:
            self.samples += block.shape[1]
            yield block


def _open(path: Path) -> AbstractContextManager[AudioStream]:
    return _open_standard_input() if path == STANDARD else open_audio(path)


_STREAMED = (b"RIFF", b"RF64", b"fLaC")
"""How files begin that are read from a pipe while they come in."""


@contextmanager
def _open_standard_input() -> Iterator[AudioStream]:
    """A pipe as a stream. What has no plain header is stored first: its parts are found by moving in the file."""
    source = cast(io.BufferedReader, sys.stdin.buffer)
    beginning = source.peek(4)
    if beginning[:4] not in _STREAMED:
        with TemporaryFile() as stored:
            shutil.copyfileobj(source, stored)
            stored.seek(0)
            with open_audio(stored, name=_STANDARD_INPUT) as stream:
                yield stream
        return
    if beginning[:4] == b"RIFF" and is_wav_without_samples(FileView(io.BytesIO(beginning))):
        raise AudioError(f"'{_STANDARD_INPUT}' contains no audio: get the file again")  # FFmpeg would read the chunks
    from htdemucs_n.audio.decode_ffmpeg import open_container

    with open_container(source, _STANDARD_INPUT) as stream:
        yield stream


def _stereo_blocks(stream: AudioStream, path: Path) -> Iterator[NDArray[np.float32]]:
    """The blocks of a stream, more than two channels mixed down by where their speakers are."""
    for block in checked_blocks(stream, _STANDARD_INPUT if path == STANDARD else path):
        yield at_most_stereo(block, stream.speakers)


def _target(path: Path) -> Path | BinaryIO:
    return sys.stdout.buffer if path == STANDARD else path


def _seekable(path: Path) -> Path:
    if path == STANDARD:
        raise OptionError(f"-o -: the format {STEM_FILE} is finished at its beginning: give a folder")
    return path


def _may_have_tags(path: Path) -> bool:
    """Whether FFmpeg should be loaded to look for tags: WAV files seldom have any."""
    return path.suffix.lower() not in (".wav", ".wave", ".w64", ".rf64")


def _existing_parent(path: Path) -> Path:
    """The nearest folder above `path` that is there: on the disk that the stems will be on."""
    return next(parent for parent in path.absolute().parents if parent.is_dir())
