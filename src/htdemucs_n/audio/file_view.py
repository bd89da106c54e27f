"""The part of a file that holds its audio, as it was when it was opened."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import BinaryIO


class FileView(io.RawIOBase):
    """Reads a file from `start` to `end` bytes, which is by default the size that it has now.

    So a recording that is still being made ends, and the size that decoders read does not change.
    `changes` replaces bytes by their place in the view: a header with the sizes that it ought to have.
    """

    def __init__(
        self, file: BinaryIO, start: int = 0, end: int | None = None, changes: Mapping[int, bytes] | None = None
    ) -> None:
        self._file = file
        self._start = start
        self._size = (file.seek(0, os.SEEK_END) if end is None else end) - start
        self._changes = dict(changes or {})
        self._place = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read up to the end of the view."""
        self._file.seek(self._start + self._place)
        data = bytearray(self._file.read(min(len(buffer), max(0, self._size - self._place))))
        for place, new in self._changes.items():
            first, last = max(place, self._place), min(place + len(new), self._place + len(data))
            if first < last:
                data[first - self._place : last - self._place] = new[first - place : last - place]
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move. A place outside the view, which damaged headers ask for, is its nearest."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = min(max(0, start + offset), self._size)
        return self._place

    def tell(self) -> int:
        """Where it stands."""
        return self._place

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It is seekable."""
        return True
