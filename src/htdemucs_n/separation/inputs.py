"""Find songs: files as they are named, folders with all that is below them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from htdemucs_n.audio.suffixes import SUFFIXES
from htdemucs_n.errors import AudioError, UserError
from htdemucs_n.files import as_url, file_identity
from htdemucs_n.separation.names import Track, safe_name, track_name


def find_tracks(paths: Iterable[str | Path], out: Path) -> Iterator[Track | UserError]:
    """Songs in the order of `paths`; those of a folder sorted, with their place in it as part of their name.

    Links are followed, each folder once, so that loops end. Hidden files, and all below the output folder `out`, are
    left out. A folder without songs, or one that cannot be read, gives a `UserError` in its place.
    """
    for given in paths:
        path = Path(given)
        try:
            is_folder = path.is_dir()
        except OSError as error:  # a name that is too long
            yield AudioError(f"'{path}' cannot be opened ({error.strerror}): check the name")
            continue
        if not is_folder and (url := as_url(given)) and not path.exists():
            yield AudioError(f"'{url}': URLs are not read: download the file and pass its name")
            continue
        if is_folder and file_identity(path) == file_identity(out) is not None:
            yield AudioError(f"'{path}' is the output folder, which is not separated again: choose another with -o")
            continue
        if not is_folder:
            yield Track(path, "stdin" if path == Path("-") else track_name(path))
            continue
        found = False
        for entry in _walk(path, file_identity(out)):
            found = True
            yield entry
        if not found:
            yield AudioError(f"'{path}' contains no audio or video file: check the folder")


def _walk(root: Path, out: tuple[int, int] | None) -> Iterator[Track | UserError]:
    seen = {out}
    failed: list[OSError] = []
    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=failed.append):
        here = Path(folder)
        identity = file_identity(here)
        if identity in seen and identity is not None:
            subfolders.clear()
            continue
        seen.add(identity)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        place = [safe_name(part) for part in here.relative_to(root).parts]
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Track(here / name, "/".join([*place, track_name(Path(name))]))
    for error in failed:
        yield AudioError(f"'{error.filename}' cannot be read ({error.strerror}): check its permissions")
