"""A folder on a disk or in an object store, with the few operations that a catalogue needs.

Every file appears whole or not at all, and `create` succeeds for one of all processes that try: it needs a disk with
hard links, or an object store with conditional writes (`If-None-Match` on S3, generation 0 on Google's).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import posixpath
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from htdemucs_n.catalogue.filesystem import is_local, open_filesystem
from htdemucs_n.catalogue.retry import Result, first_line, is_of_storage, retried
from htdemucs_n.errors import OutputError
from htdemucs_n.files import moved_into_place

TEMPORARY = "_catalogue/tmp"
"""Where files of an object store lie before they are moved to their names."""

_LONGEST_WRITE = timedelta(days=1)
"""A temporary file that is older has no writer any more."""


class FullError(OutputError):
    """There is no room for a file, and so for no other."""


class Store:
    """The folder `url`: a path, or a URL of fsspec such as `s3://bucket/stems`. Names in it have `/`.

    Every operation is tried again where an error may pass (`htdemucs_n.catalogue.retry`).

    Raises:
        UserError: the package for the URL is missing, or the URL is not understood. The operations raise it where they
            cannot read or write: a wrong name, missing permissions, a full disk, a server that fails for long.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._fs, self._root = open_filesystem(url)
        self.local = is_local(self._fs)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file that must not exist; whether it was created."""
        return self._tried(lambda: self._create(name, content))

    def write(self, name: str, content: bytes) -> None:
        """Write a file, in place of one of that name."""
        if self.local:
            self._tried(lambda: self._write_locally(name, content))
        else:
            self._tried(lambda: self._fs.pipe_file(self._path(name), content))

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where there is none."""

        def read() -> bytes | None:
            try:
                content: bytes = self._fs.cat_file(self._path(name))
            except FileNotFoundError:
                return None
            return content

        return self._tried(read)

    def names(self, folder: str) -> Iterator[str]:
        """The names of all files below a folder, in order; none where it does not exist.

        Each folder is listed when its turn comes, so that memory does not grow with the number of all files.
        """
        place = self._path(folder)

        def entries() -> list[tuple[str, bool]]:
            self._fs.invalidate_cache()
            with contextlib.suppress(FileNotFoundError):
                found = self._fs.ls(place, detail=True)
                return sorted((entry["name"].rstrip("/"), entry["type"] == "directory") for entry in found)
            return []

        for path, is_folder in self._tried(entries):
            name = posixpath.relpath(path, self._root)
            if is_folder and path != place:
                yield from self.names(name)
            elif not is_folder and not posixpath.basename(name).startswith("."):
                yield name

    def delete(self, name: str) -> None:
        """Delete a file; nothing happens where there is none."""

        def delete() -> None:
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path(name))

        self._tried(delete)

    def publish(self, file: Path, name: str) -> None:
        """Copy a file of this computer to `name`: to a temporary name first, then moved."""
        if self.local:
            self._tried(lambda: self._copy_locally(file, name))
            return
        part = f"{TEMPORARY}/{uuid.uuid4().hex}"
        try:
            self._tried(lambda: self._fs.put_file(str(file), self._path(part)))
            self._tried(lambda: self._fs.cp_file(self._path(part), self._path(name)))
        finally:
            with contextlib.suppress(Exception):  # the error before this one is the one to tell
                self.delete(part)

    def remove_parts(self, folder: str) -> None:
        """Delete parts of files that a killed writer left in a folder of a disk. Nobody else may write there."""
        if self.local:
            for part in Path(self._path(folder)).glob(".*.part"):
                part.unlink(missing_ok=True)

    def remove_old_temporaries(self) -> None:
        """Delete temporary files of an object store whose writers are dead: those that are a day old."""
        if self.local:
            return
        for name in self.names(TEMPORARY):
            with contextlib.suppress(FileNotFoundError):
                if datetime.now(UTC) - self._fs.modified(self._path(name)) > _LONGEST_WRITE:
                    self.delete(name)

    def sha256(self, name: str) -> str | None:
        """The SHA-256 of a file; None where there is none."""

        def sha256() -> str | None:
            try:
                with self._fs.open(self._path(name), "rb") as file:
                    return hashlib.file_digest(file, "sha256").hexdigest()
            except FileNotFoundError:
                return None

        return self._tried(sha256)

    def _tried(self, operation: Callable[[], Result]) -> Result:
        """The result of an operation, tried again where an error may pass."""
        try:
            return retried(operation)
        except Exception as error:
            if not is_of_storage(error):
                raise
            kind = FullError if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) else OutputError
            raise kind(
                f"'{self.url}' cannot be read or written ({first_line(error)}): check its name, the permissions and "
                "credentials, and the room on it"
            ) from error

    def _create(self, name: str, content: bytes) -> bool:
        if self.local:
            return self._create_locally(name, content)
        try:
            self._fs.pipe_file(self._path(name), content, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno == errno.EINVAL and self._fs.exists(self._path(name)):  # how s3fs tells a failed condition
                return False
            raise
        return True

    def _create_locally(self, name: str, content: bytes) -> bool:
        """A link to a whole file: unlike opening it exclusively, no reader finds a part of it."""
        target = Path(self._path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        waiting = target.with_name(f".{uuid.uuid4().hex}")
        try:
            waiting.write_bytes(content)
            os.link(waiting, target)
        except FileExistsError:
            return False
        finally:
            waiting.unlink(missing_ok=True)
        return True

    def _copy_locally(self, file: Path, name: str) -> None:
        with moved_into_place(Path(self._path(name))) as waiting:
            shutil.copyfile(file, waiting)

    def _write_locally(self, name: str, content: bytes) -> None:
        with moved_into_place(Path(self._path(name))) as waiting:
            waiting.write_bytes(content)

    def _path(self, name: str) -> str:
        return posixpath.join(self._root, name)
