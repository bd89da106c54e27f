"""WAV as a stream, of any size.

The header is made here: libsndfile stamps the time of day into float files, so the same audio would not give the
same bytes, and it does not report why a write failed. Sizes in it are 32 bits wide; a file that outgrows them, 6 hours
of 16-bit stereo, becomes RF64: 28 bytes are kept free for the sizes that are then 64 bits wide.
Sources: Microsoft, "Multiple channel audio data and WAVE files", 2007; EBU Tech 3306, "RF64", 2018.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio.integers import to_integers

_PCM, _IEEE_FLOAT = 1, 3
_WIDTHS = {"int16": 2, "int24": 3, "float32": 4}
_UNKNOWN = _LARGEST = 2**32 - 1

_INFO = {"title": "INAM", "artist": "IART", "album": "IPRD", "track": "ITRK", "date": "ICRD", "genre": "IGNR"}
"""Tags that a WAV file has a place for (RIFF INFO)."""


def quantise(samples: NDArray[np.float32], depth: str) -> NDArray[np.generic]:
    """`(C, n)` of full scale 1.0 to the bytes of frames, `(n, C)` or for `int24` `(n, C, 3)`; cut off at full scale.

    `float32` samples stay as they are.
    """
    frames = np.ascontiguousarray(samples.T)
    if depth == "float32":
        return frames.astype("<f4")
    if depth == "int16":
        return to_integers(frames, 16).astype("<i2")
    integers = to_integers(frames, 24).astype("<i4")
    return integers.view("u1").reshape(*integers.shape, 4)[..., :3]


class WavEncoder:
    """Writes `(C, n)` blocks to an open file; where it is not seekable (a pipe), sizes are left open."""

    def __init__(
        self, file: BinaryIO, sample_rate: int, channels: int, depth: str, tags: Mapping[str, str] | None = None
    ) -> None:
        self._file, self._rate, self._channels, self._depth = file, sample_rate, channels, depth
        self._info = _info_chunk(tags or {})
        self._frames = 0
        self._file.write(self._header(None))

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append a block `(C, n)`."""
        self._frames += samples.shape[1]
        self._file.write(np.ascontiguousarray(quantise(samples, self._depth)).data)

    def close(self) -> None:
        """Write the sizes, which are known now."""
        size = self._frames * self._channels * _WIDTHS[self._depth]
        self._file.write(b"\0" * (size % 2))
        if self._file.seekable():
            self._file.seek(0)
            self._file.write(self._header(self._frames))

    def _header(self, frames: int | None) -> bytes:
        """All before the samples, for that many frames or an unknown number."""
        width = _WIDTHS[self._depth]
        kind = _IEEE_FLOAT if self._depth == "float32" else _PCM
        align = self._channels * width
        form = (kind, self._channels, self._rate, self._rate * align, align, 8 * width, 0)
        chunks = struct.pack("<4sIHHIIHHH", b"fmt ", 18, *form) + self._info
        size = _UNKNOWN if frames is None else frames * align
        riff = 4 + 36 + len(chunks) + 12 + 8 + size + size % 2
        count = _UNKNOWN if frames is None else frames
        if frames is not None and riff > _LARGEST:
            start = b"RF64" + struct.pack("<I", _UNKNOWN) + b"WAVE"
            room = struct.pack("<4sIQQQI", b"ds64", 28, riff, size, frames, 0)
            size = count = _UNKNOWN
        else:
            start = b"RIFF" + struct.pack("<I", min(riff, _UNKNOWN)) + b"WAVE"
            room = struct.pack("<4sI28x", b"JUNK", 28)
        return start + room + chunks + struct.pack("<4sII4sI", b"fact", 4, count, b"data", size)


def _info_chunk(tags: Mapping[str, str]) -> bytes:
    """The tags that have a place in it as a LIST chunk, or nothing."""
    entries = b""
    for tag, name in _INFO.items():
        if text := tags.get(tag, "").encode("utf-8").replace(b"\0", b""):
            text += b"\0" * (2 - len(text) % 2)  # ends in a zero and on an even place
            entries += struct.pack("<4sI", name.encode(), len(text)) + text
    return struct.pack("<4sI4s", b"LIST", 4 + len(entries), b"INFO") + entries if entries else b""
