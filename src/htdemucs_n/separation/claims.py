"""Claims on songs that are being separated, and records of the song that each stem is of.

Both are kept in a hidden folder of the output folder, under names made from those of the files:

    separated/.htdemucs-n/3f2a....lock    held while a process separates the song; the system releases it when that ends
    separated/.htdemucs-n/9c41....json    the song that a stem is of, one file per stem
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from htdemucs_n.audio import make_folder
from htdemucs_n.errors import OutputError
from htdemucs_n.files import file_identity, write_whole

FOLDER = ".htdemucs-n"

_ENDS = 65536
"""Bytes at the beginning and at the end of a file that go into its fingerprint."""

_ATTEMPTS = 10
"""To lock a file in a folder that other processes make and remove at the same time."""


@dataclass(frozen=True)
class Source:
    """A song that stems are of: the name and the fingerprint of its file, and the gain of the stems, where known."""

    name: str
    fingerprint: str
    gain: float | None

    def is_file(self, song: Path) -> bool:
        """Whether it is the file `song`, which may have been moved."""
        return self.fingerprint == fingerprint(song)


class SongRecord:
    """The claim of a song whose stems go to `files` below the folder `out`, and the records of these."""

    def __init__(self, out: Path, files: Collection[Path]) -> None:
        self._out, self._files = out, files

    @contextlib.contextmanager
    def claimed(self) -> Iterator[bool]:
        """Claim the song until the block ends. The value is False where another process has claimed it.

        Raises:
            OutputError: the output folder cannot be written.
        """
        existed = file_identity(self._out) is not None
        try:
            lock = self._acquire()
        except OSError as error:
            raise OutputError(
                f"cannot write in '{self._out}' ({error.strerror or error}): make it writable, or choose another folder"
            ) from None
        if lock is None:
            yield False
            return
        try:
            yield True
        finally:
            _release(lock)
            with contextlib.suppress(OSError):  # folders that are not empty stay
                (self._out / FOLDER).rmdir()
                if not existed:
                    self._out.rmdir()

    def _acquire(self) -> FileLock | None:
        """The lock of the song; None where another process holds it."""
        for attempt in range(1, _ATTEMPTS + 1):
            make_folder(self._out)
            try:
                (self._out / FOLDER).mkdir(exist_ok=True)
                path = self._path(*self._files).with_suffix(".lock")
                lock = FileLock(path)
                lock.acquire(blocking=False)
                if path == self._path(*self._files).with_suffix(".lock"):
                    return lock
                _release(lock)  # the folder was missing for a moment when its file system was examined
            except Timeout:
                break
            except (FileExistsError, FileNotFoundError):  # another process has just removed the empty folder
                if attempt == _ATTEMPTS:
                    raise
        return None

    def remember(self, song: Path, stems: Iterable[Path], gain: float = 1.0) -> None:
        """Note that the files `stems` are of the file `song`, scaled by `gain`.

        Raises:
            UserError: that cannot be written.
        """
        about = {"source": song.name, "fingerprint": fingerprint(song), "gain": gain}
        known = json.dumps(about, ensure_ascii=True) + "\n"
        for stem in stems:
            write_whole(self._path(stem), known)

    def source(self, stem: Path) -> Source | None:
        """The song that the file `stem` is of; None where that was not recorded."""
        try:
            known = json.loads(self._path(stem).read_text(encoding="utf-8"))
            gain = float(known["gain"]) if "gain" in known else None  # records of version 0.5 and before have none
            return Source(str(known["source"]), str(known["fingerprint"]), gain)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _path(self, *files: Path) -> Path:
        """The file of what is known about `files`. Names that the file system takes for one have one file."""
        names = [file.relative_to(self._out).as_posix() for file in files]
        if file_identity(self._out / FOLDER.upper()) is not None:  # it does not distinguish the case of letters
            names = [name.casefold() for name in names]
        names.sort()
        digest = hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()[:24]
        return self._out / FOLDER / f"{digest}.json"


def _release(lock: FileLock) -> None:
    """Release a lock and remove its file, in the order that never lets two processes hold the lock of one song."""
    if os.name == "nt":  # an open file cannot be removed; it stays where another process has opened it by now
        lock.release()
    with contextlib.suppress(OSError):
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()  # elsewhere filelock, from 3.21.2 on, takes no lock on a file that was removed


def fingerprint(song: Path) -> str:
    """A hash of the size, beginning and end of a file, which does not depend on its place. Empty if unreadable."""
    try:
        with song.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            content = file.read(_ENDS)
            file.seek(max(0, size - _ENDS))
            content += file.read(_ENDS)
    except OSError:
        return ""
    return hashlib.sha256(str(size).encode() + content).hexdigest()
