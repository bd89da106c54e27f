"""Write a file whole or not at all: beside its place first, then moved there, so that no reader finds a part of it."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from htdemucs_n.errors import AudioError, OutputError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):[/\\]+")
"""The beginning of a URL, also as a `Path` of Windows has it; a drive has one letter."""


@contextlib.contextmanager
def moved_into_place(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to: the file moves to `path` when the `with` block ends well, and goes if not.

    The folder is made where it is missing, and removed again if the block fails and nothing else is in it. What was at
    `path` stays until then. `OSError` is left to the caller, as is closing the file before the block ends.
    """
    made = [folder for folder in path.parents if not is_folder(folder)]
    part = path.with_name(f".{uuid.uuid4().hex[:12]}.part")  # never longer than a name may be, whatever the target's is
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch(exist_ok=False)
        mode = part.stat().st_mode  # what the user's umask gives
        yield part
        if part.stat().st_mode != mode:  # safetensors puts a file of its own there, which only its owner may read
            part.chmod(mode)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # where the folder can't be made there is nothing to remove
            part.unlink(missing_ok=True)
            for folder in made:
                folder.rmdir()
        raise


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """As `moved_into_place`, for a block that does nothing but write.

    Raises:
        UserError: it cannot be written.
    """
    with _explained(path), moved_into_place(path) as part:
        yield part


def check_writable(path: Path) -> None:
    """Raise `UserError`, as `whole_file`, unless its folder takes files. Long work begins with this."""
    with _explained(path), tempfile.TemporaryFile(dir=path.parent):
        pass


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """`OSError` as `OutputError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        message = f"cannot write '{path}' ({reason}): make room, make the folder writable, or choose another"
        raise OutputError(message) from error


def is_file(path: Path) -> bool:
    """Whether there is a file; False for a name that the file system cannot have, where `Path.is_file` may raise."""
    return file_identity(path) is not None and path.is_file()


def is_folder(path: Path) -> bool:
    """Whether there is a folder; False as in `is_file`."""
    return file_identity(path) is not None and path.is_dir()


def file_identity(path: Path) -> tuple[int, int] | None:
    """The device and inode of a file or folder, the same under all its names; None where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def folder_entries(folder: Path) -> list[Path]:
    """What is in a folder, sorted by path.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise AudioError(f"'{folder}' cannot be read ({error.strerror}): check its permissions") from None


def folder_size(folder: Path) -> int:
    """Bytes of all files in a folder and its folders."""
    total = 0
    for place, _, files in os.walk(folder):
        for file in files:
            with contextlib.suppress(OSError):  # removed just now
                total += os.stat(os.path.join(place, file)).st_size  # noqa: PTH116, PTH118 - many files
    return total


def as_url(path: str | Path) -> str | None:
    """The URL that a user gave in place of a path, as it was typed; None for a path. A `Path` has lost its slashes."""
    text = str(path)
    found = _URL.match(text)
    if found is None or not isinstance(path, Path):
        return text if found else None
    return f"{found[1]}:{'///' if found[1].lower() == 'file' else '//'}{text[found.end() :]}"


def remove_leftovers(folder: Path) -> None:
    """Remove partial files of a killed process from `folder`, to which no other process may write."""
    for part in folder.glob(f".{'[0-9a-f]' * 12}.part"):
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content`, text as UTF-8, to `path`, with the folder where it is missing.

    What UTF-8 cannot hold of a file name is written as `\\udcff`, as JSON does.

    Raises:
        UserError: it cannot be written.
    """
    with whole_file(path) as part:
        part.write_bytes(content.encode(errors="backslashreplace") if isinstance(content, str) else content)
