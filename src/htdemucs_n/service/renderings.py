"""Files that are computed from the results of a job when they are asked for, and kept while there is room."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import RLock

from htdemucs_n.files import folder_size
from htdemucs_n.service.library import Library, check_room

_PART = 10
"""Part of the library that computed files may fill: a tenth."""


class Renderings:
    """The folders of computed files of a library, which may have `most` bytes: they may fill a tenth of it.

    The longest unused go first. They are made one after the other, so that many requests take no more memory than one.
    """

    def __init__(self, library: Library, most: int) -> None:
        self._library, self._most = library, most
        self._making = RLock()  # a file may be made of other computed ones

    def folder(self, job: str, key: str, make: Callable[[Path], object]) -> Path:
        """The folder of a job and a key, which `make` fills where it is not there.

        Raises:
            UserError: what `make` raises; there is no such job, the library is full, or the folder cannot be written.
        """
        place = self._library.renderings(job) / hashlib.sha256(key.encode()).hexdigest()[:24]
        with self._making if not place.is_dir() else contextlib.nullcontext():
            if not place.is_dir():
                check_room(self._library, self._most)
                with self._library.new_folder(job, place) as part:
                    make(part)
                self._make_room(place)
        with contextlib.suppress(OSError):
            os.utime(place)  # it was used just now
        return place

    def found(self, job: str, name: str) -> Path | None:
        """The folder of a job that `folder` gave back, by its name; None where it is not, or no longer, there."""
        return next((place for place in self._library.all_renderings(job) if place.name == name), None)

    def _make_room(self, newest: Path) -> None:
        folders = [(place.stat().st_mtime, place, folder_size(place)) for place in self._library.all_renderings()]
        total = sum(size for _, _, size in folders)
        for _, place, size in sorted(folders):
            if total > self._most // _PART and place != newest:
                shutil.rmtree(place, ignore_errors=True)
                total -= size
