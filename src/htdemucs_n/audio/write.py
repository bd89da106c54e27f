"""Write audio files, whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio.encode_wav import WavEncoder
from htdemucs_n.audio.encoder import Encoder
from htdemucs_n.audio.formats import Encoding
from htdemucs_n.audio.tags import NO_TAGS, Tags
from htdemucs_n.errors import OutputError
from htdemucs_n.files import moved_into_place


def make_folder(folder: Path) -> None:
    """Make a folder and its parents where they are missing.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder '{folder}' ({error.strerror}): choose another output folder"
        ) from None


def write_wav(path: str | Path, samples: NDArray[np.float32], sample_rate: int, float32: bool = False) -> None:
    """Write `samples` `(C, T)` (full scale 1.0) as WAV at `sample_rate` Hz, with its folder where missing.

    16-bit integers, clipped to full scale, or with `float32` the samples as they are. The file appears under
    its name only when it is complete; the same samples give the same bytes.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    encoding = Encoding("wav", "float32" if float32 else "int16", 0)
    with AudioWriter(Path(path), sample_rate, len(samples), encoding) as writer:
        writer.write(samples)


class AudioWriter:
    """An audio file in the making, written beside its final name and moved there when its `with` block ends well.

    When the block ends in an exception, nothing is left. The same samples give the same bytes. In place of a path, an
    open binary file (standard output) can be written to; it stays open.

    Raises:
        OutputError: on entering, writing and leaving: the folder cannot be written, or the disk is full.
    """

    def __init__(
        self,
        target: Path | BinaryIO,
        sample_rate: int,
        channels: int,
        encoding: Encoding,
        tags: Tags = NO_TAGS,
    ) -> None:
        self._target, self._rate, self._channels = target, sample_rate, channels
        self._encoding, self._tags = encoding, tags

    def __enter__(self) -> AudioWriter:
        with self._explained(), contextlib.ExitStack() as opened:
            if isinstance(self._target, Path):
                part = opened.enter_context(moved_into_place(self._target))
                self._file: BinaryIO = opened.enter_context(part.open("w+b"))
            else:
                self._file = self._target
            self._encoder = self._start()
            self._opened = opened.pop_all()
        return self

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append a block `(C, n)`, full scale 1.0."""
        with self._explained():
            self._encoder.write(samples)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._explained():
            if kind is not None:
                self._opened.__exit__(kind, error, trace)
                return
            with self._opened:
                self._encoder.close()
                self._file.flush()

    def _start(self) -> Encoder:
        if self._encoding.format == "wav":
            return WavEncoder(self._file, self._rate, self._channels, self._encoding.depth, self._tags.values)
        from htdemucs_n.audio.encode_ffmpeg import start_encoder  # PyAV loads all of FFmpeg: only when needed

        return start_encoder(self._file, self._rate, self._channels, self._encoding, self._tags)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """`OSError` as `OutputError`: not `whole_file`'s, for there may be no file, and blocks are written between."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            if not isinstance(self._target, Path):
                cause = "the program that reads it has ended" if isinstance(error, BrokenPipeError) else "make room"
                message = f"cannot write to standard output ({reason}): {cause}"
            else:
                message = (
                    f"cannot write '{self._target.name}' in '{self._target.parent}' ({reason}): "
                    "make room, make the folder writable, or choose another"
                )
            raise OutputError(message) from None
