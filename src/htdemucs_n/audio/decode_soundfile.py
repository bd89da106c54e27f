"""Decode plain audio (wav, flac, aiff, ogg, ...) of one or two channels with libsndfile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from htdemucs_n.audio.file_view import FileView
from htdemucs_n.audio.stream import BLOCK
from htdemucs_n.errors import AudioError

_PIECES = 16
"""A block is read in so many."""

_DEPTHS = {
    "PCM_S8": "int16",
    "PCM_U8": "int16",
    "PCM_16": "int16",
    "PCM_24": "int24",
    "PCM_32": "float32",  # 32-bit integers hold no more than float32 where music is
    "FLOAT": "float32",
    "DOUBLE": "float32",
}


def open_with_soundfile(file: FileView) -> soundfile.SoundFile | None:
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


class SoundFileStream:
    """An open file of libsndfile (see `htdemucs_n.audio.stream.AudioStream`); `promised` is its length, if known."""

    speakers: tuple[str, ...] = ()

    def __init__(self, sound: soundfile.SoundFile, promised: int | None, path: str | Path) -> None:
        self._sound = sound
        self._path = path
        self.damaged = 0
        self.sample_rate: int = sound.samplerate
        self.channels: int = sound.channels
        # libsndfile counts the samples that are there; the WAV header has the number that was meant.
        self.length: int | None = promised or sound.frames
        self.depth = _DEPTHS.get(sound.subtype)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield blocks `(C, n)`, as far as the file can be decoded."""
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
            raise AudioError(f"'{self._path}' cannot be read further ({error.strerror}): check the disk") from None
