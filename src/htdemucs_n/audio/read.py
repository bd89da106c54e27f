"""Read the audio of any file as a stream: plain audio by libsndfile, everything else by FFmpeg's decoders (PyAV).

Two kinds of file go to PyAV although libsndfile reads them:

* MPEG audio: libsndfile's decoder prints its own warnings for a damaged file, and gives back less of it.
* More than two channels: libsndfile leaves Vorbis and Opus channels in their own order; PyAV puts every
  format in WAVE order (left, right, centre, low frequency, back left, back right).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Protocol, cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from htdemucs_n.audio.snapshot import Snapshot
from htdemucs_n.errors import UserError

BLOCK = 65536
"""Samples in a block that is read, at most."""

_PIECES = 16
"""A block is read in so many."""

_LEAST_RATE, _GREATEST_RATE = 1000, 1_536_000
"""Hz."""


@dataclass(frozen=True, eq=False)
class Audio:
    """Decoded audio: `samples` `(C, T)`, float32, full scale 1.0, all finite; `sample_rate` in Hz."""

    samples: NDArray[np.float32]
    sample_rate: int


class AudioStream(Protocol):
    """An open audio file: what its header says, and its samples block by block."""

    sample_rate: int
    """Hz."""
    channels: int
    length: int | None
    """Samples that the header promises, or None where it says nothing to be relied on."""
    depth: str | None
    """Of the samples in the file: `int16`, `int24`, `float32`; None for a lossy codec, which has none."""
    damaged: int
    """Places that could not be decoded and were left out, so far."""

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield blocks `(C, n)`, full scale 1.0, until nothing more can be decoded."""


@contextmanager
def open_audio(path: str | Path, stream: int = 0) -> Iterator[AudioStream]:
    """Open a file: wav, flac, aiff, ogg, opus, mp3, m4a, aac, or a video.

    `stream` is which of its audio streams, for the few files that have several (MUSDB18's `.stem.mp4`). Any
    sample rate and channel count; more than two channels come in WAVE order. The file is read as it is now: what is
    appended later is not. A file cut short gives the part that can still be decoded.

    Raises:
        UserError: no such file, a folder, not readable, empty, not audio, no such audio stream, or a sample rate that
            no audio has.
    """
    path = Path(path)
    with _open(path) as file:
        snapshot = Snapshot(file)
        head = snapshot.read(4)
        snapshot.seek(0)
        if not head:
            raise UserError(f"'{path}' is empty (0 bytes): get the file again")
        sound = None if _is_mpeg(head) or stream else _open_with_soundfile(snapshot)
        if sound is not None:
            with sound:
                check_rate(sound.samplerate, path)
                yield _SoundFileStream(sound, _promised_by_wav(snapshot) if sound.format == "WAV" else None, path)
            return
        snapshot.seek(0)
        from htdemucs_n.audio.container import open_container  # PyAV loads all of FFmpeg: only when needed

        promised = _promised_by_mpeg(snapshot) if _is_mpeg(head) else None
        with open_container(cast(IO[bytes], snapshot), path, promised, stream) as decoded:
            yield decoded


def read_audio(path: str | Path, stream: int = 0) -> Audio:
    """Read all the audio of a file, as `open_audio` does.

    Raises:
        UserError: as `open_audio`; no samples, or samples that are NaN or infinite.
    """
    with open_audio(path, stream) as opened:
        blocks = list(checked_blocks(opened, path))
        return Audio(np.concatenate(blocks, axis=1), opened.sample_rate)


def checked_blocks(stream: AudioStream, path: str | Path) -> Iterator[NDArray[np.float32]]:
    """The stream's blocks. Raises `UserError` when there are none, or for samples that are NaN or infinite."""
    empty = True
    for block in stream.blocks():
        if not np.isfinite(block).all():
            raise UserError(f"'{path}' holds NaN or infinite samples: export it again from its source")
        empty = empty and not block.shape[1]
        yield block
    if empty:
        raise UserError(f"'{path}' holds no audio that can be read: it is cut short or not audio, get the file again")


def check_rate(sample_rate: int, name: str | Path) -> None:
    """Raise `UserError` for a rate that is a damaged header's, and would make the resampler run for hours."""
    if not _LEAST_RATE <= sample_rate <= _GREATEST_RATE:
        raise UserError(f"'{name}' says that its sample rate is {sample_rate} Hz: its header is damaged")


def _open(path: Path) -> BinaryIO:
    """An open file, or the reason why there is none."""
    try:
        if path.is_dir():
            raise UserError(f"'{path}' is a folder: pass the files in it, for example {path}/*.mp3")
        if path.exists() and not path.is_file():
            raise UserError(f"'{path}' is a device or a pipe: pass a file, or - to read from a pipe")
        return path.open("rb")
    except FileNotFoundError:
        raise UserError(f"'{path}' does not exist: check the name and the folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"'{path}' cannot be opened ({reason}): check the name and its permissions") from None


def _is_mpeg(head: bytes) -> bool:
    """Whether a file begins like MPEG audio: an ID3 tag, or the 11 set bits of a frame's sync word."""
    return head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0)


def _open_with_soundfile(file: Snapshot) -> soundfile.SoundFile | None:
    """A file of one or two channels, or None when libsndfile does not know it."""
    try:
        # An open file instead of its name: any name that the system can hold will do.
        sound = soundfile.SoundFile(file)
    except (soundfile.SoundFileError, TypeError):  # TypeError: a name that ends in .raw asks for a rate
        return None
    if sound.channels > 2:
        sound.close()
        return None
    return sound


_DEPTHS = {
    "PCM_S8": "int16",
    "PCM_U8": "int16",
    "PCM_16": "int16",
    "PCM_24": "int24",
    "PCM_32": "float32",  # 32-bit integers hold no more than float32 where music is
    "FLOAT": "float32",
    "DOUBLE": "float32",
}


class _SoundFileStream:
    def __init__(self, sound: soundfile.SoundFile, promised: int | None, path: Path) -> None:
        self._sound = sound
        self._path = path
        self.damaged = 0
        self.sample_rate: int = sound.samplerate
        self.channels: int = sound.channels
        # libsndfile's own count is of what is there; a WAV header tells what ought to be.
        self.length: int | None = promised or sound.frames
        self.depth = _DEPTHS.get(sound.subtype)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        ended = False
        while not ended:
            pieces: list[NDArray[np.float32]] = []
            while len(pieces) < _PIECES and not ended:
                frames = self._read()
                pieces.append(frames)
                ended = not len(frames)
            yield np.ascontiguousarray(np.concatenate(pieces).T)

    def _read(self) -> NDArray[np.float32]:
        """The next frames `(n, C)`, none at the end; a damaged end costs a piece, not a block."""
        try:
            return self._sound.read(BLOCK // _PIECES, dtype="float32", always_2d=True)
        except soundfile.SoundFileError:  # damaged from here on
            self.damaged += 1
            return np.zeros((0, self.channels), np.float32)
        except OSError as error:
            raise UserError(f"'{self._path}' cannot be read on ({error.strerror}): check the disk") from None


def _promised_by_wav(file: Snapshot) -> int | None:
    """Samples that a WAV header's sizes amount to, or None where they are left open."""
    place = file.tell()
    try:
        file.seek(12)
        align = 0
        while len(header := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", header)
            if name == b"fmt ":
                align = struct.unpack("<12xHxx", file.read(16))[0]
                size -= 16
            elif name == b"data":
                return size // align if align and size < 2**32 - 1 else None
            file.seek(size + size % 2, 1)
        return None
    except struct.error:
        return None
    finally:
        file.seek(place)


def _promised_by_mpeg(file: Snapshot) -> int | None:
    """Samples that the Xing or Info header of an mp3 file promises; None without one.

    FFmpeg reads it too, but does not believe it where the file is shorter than it says, which is what we ask about.
    """
    head = file.read(10)
    if head[:3] == b"ID3" and len(head) == 10:  # a tag comes first; its size has 7 bits a byte
        file.seek(10 + sum((byte & 127) << 7 * (3 - place) for place, byte in enumerate(head[6:10])))
        head = b""
    frame = head + file.read(400)
    file.seek(0)
    found = max(frame.find(b"Xing"), frame.find(b"Info"))
    if found < 0 or len(frame) < found + 12 or not frame[found + 7] & 1:
        return None
    (frames,) = struct.unpack(">I", frame[found + 8 : found + 12])
    version_1 = bool(frame[1] & 8)
    return int(frames) * (1152 if version_1 else 576)
