"""Decoded stems on the disk, to be mapped into memory instead of decoded again.

An entry is a `.npy` file of int16 `(C, T)`; where the samples were divided by a scale to fit into int16, a file
`.scale.npy` beside it holds that. The name is a hash of what it was made from: the path, size and time of change of
every file, the stream, sample rate and channels. A file that changes has another name, so nothing stale is ever read;
its old entry stays until the folder is deleted, which is safe at any time when nothing trains from it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.datasets.songs import StemFile
from htdemucs_n.files import moved_into_place

log = logging.getLogger(__name__)

_VERSION = 3
"""Raised when the same files decode to other samples."""

_OPENING = threading.Lock()
"""NumPy reads a header with `ast`, in which threads of Python 3.11 disturb each other: now and then a `SystemError`."""


class DecodedCache:
    """A folder of decoded stems. Safe to share between threads and processes."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._full = False

    def path(self, files: Sequence[StemFile], sample_rate: int, channels: int | None) -> Path:
        """Where the sum of `files` at `sample_rate` Hz is or will be. Raises `OSError` for a file that is missing."""
        facts = [(file.path.stat(), file) for file in files]
        content = [[str(file.path.resolve()), file.stream, stat.st_size, stat.st_mtime_ns] for stat, file in facts]
        key = hashlib.sha256(json.dumps([_VERSION, sample_rate, channels, content]).encode()).hexdigest()
        return self.folder / key[:2] / f"{key}.npy"

    def load(self, path: Path) -> tuple[NDArray[np.int16], float] | None:
        """The samples `(C, T)` of an entry, mapped into memory, and their scale; None for no entry or a damaged one."""
        scale_file = _scale_file(path)
        try:
            # mmap_mode "c": a change of the samples would stay in memory and not reach the file.
            with _OPENING:
                samples: NDArray[np.int16] = np.load(path, mmap_mode="c", allow_pickle=False)
                scale = float(np.load(scale_file, allow_pickle=False)) if scale_file.exists() else 1.0
        except (OSError, ValueError, TypeError, EOFError):
            return None
        return (samples, scale) if samples.dtype == np.int16 and samples.ndim == 2 else None

    def store(self, path: Path, samples: NDArray[np.int16], scale: float = 1.0) -> None:
        """Write an entry, whole or not at all. A full or read-only disk is reported once in the log."""
        try:
            if scale != 1:  # first, so that the samples are never found without it
                _save(_scale_file(path), np.array(scale))
            _save(path, samples)
        except OSError as error:
            if not self._full:
                log.warning("the cache '%s' cannot be written (%s): stems stay in memory", self.folder, error.strerror)
            self._full = True


def _scale_file(path: Path) -> Path:
    return path.with_suffix(".scale.npy")


def _save(path: Path, values: NDArray[np.generic]) -> None:
    with moved_into_place(path) as part, part.open("wb") as file:
        np.save(file, values, allow_pickle=False)
