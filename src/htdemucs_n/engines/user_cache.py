"""The folder in which the user's system keeps what can be made again."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def cache_folder(name: str) -> Path | None:
    """The folder `name` for what this package keeps between its runs, made where it is missing.

    `XDG_CACHE_HOME` names the folder above it; otherwise it is where the system has it. None where it cannot be
    written.
    """
    folder = cache_root() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


def cache_root() -> Path:
    """The folder above all that this package keeps between its runs; it may be missing."""
    return _system_folder() / "htdemucs-n"


def _system_folder() -> Path:
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", tempfile.gettempdir()))
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    return home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"
