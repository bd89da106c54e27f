"""Write WAV files, whole or not at all.

The 58-byte header is made here: libsndfile stamps the time of day into float files, so the same audio
would not give the same bytes, and it does not tell why a write failed.
Source: Microsoft, "Multiple channel audio data and WAVE files", 2007.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.errors import UserError

_PCM, _IEEE_FLOAT = 1, 3
_MAX_BYTES = 2**32 - 1024
"""Sizes in a WAV header are 32 bits wide."""


def make_folder(folder: Path) -> None:
    """Make a folder and its parents where they are missing.

    Raises:
        UserError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder '{folder}' ({error.strerror}): choose another output folder") from None


def write_wav(path: str | Path, samples: NDArray[np.float32], sample_rate: int, float32: bool = False) -> None:
    """Write `samples` `(C, T)` (full scale 1.0) as WAV at `sample_rate` Hz, with its folder where missing.

    16-bit integers, clipped to full scale, or with `float32` the samples as they are. The file appears under
    its name only when it is complete; the same samples give the same bytes.

    Raises:
        UserError: the folder cannot be written, the disk is full, or the audio is over 4 GB.
    """
    path = Path(path)
    frames = samples.T
    data = frames.astype("<f4") if float32 else np.rint(frames * 32768.0).clip(-32768, 32767).astype("<i2")
    if data.nbytes > _MAX_BYTES:
        raise UserError(f"'{path}' would be over 4 GB, more than a WAV file can hold: separate a shorter part")
    make_folder(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(_header(data, sample_rate))
            file.write(np.ascontiguousarray(data).data)
        part.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write '{path.name}' in '{path.parent}' ({error.strerror}): "
            "make room, make the folder writable, or choose another"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _header(data: NDArray[np.generic], sample_rate: int) -> bytes:
    """RIFF header with its fmt, fact (frames) and data chunks, for `data` `(T, C)`."""
    frames, channels = data.shape
    width = data.dtype.itemsize
    kind = _IEEE_FLOAT if data.dtype.kind == "f" else _PCM
    form = (kind, channels, sample_rate, sample_rate * channels * width, channels * width, 8 * width, 0)
    chunks = b"WAVE" + struct.pack("<4sIHHIIHHH", b"fmt ", 18, *form)
    chunks += struct.pack("<4sII", b"fact", 4, frames) + struct.pack("<4sI", b"data", data.nbytes)
    return struct.pack("<4sI", b"RIFF", len(chunks) + data.nbytes) + chunks
