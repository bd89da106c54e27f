"""A file as it was when it was opened."""

from __future__ import annotations

import io
import os
from typing import BinaryIO


class Snapshot(io.RawIOBase):
    """Reads a file up to the size that it had at first, however much is appended meanwhile.

    So a recording that is still being made ends, and decoders that ask for the size are never contradicted.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read up to the size at opening."""
        left = max(0, self._size - self._file.tell())
        data = self._file.read(min(len(buffer), left))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; the end is that at opening. A place outside the file, which damaged headers ask for, is its nearest."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._size}[whence]
        return self._file.seek(min(max(0, start + offset), self._size))

    def tell(self) -> int:
        """Where it stands."""
        return self._file.tell()

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be moved in."""
        return True
