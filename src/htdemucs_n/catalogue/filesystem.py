"""File systems of fsspec, with errors for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from htdemucs_n.errors import UserError, require_packages

_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
"""What fsspec needs beside itself, by the beginning of the URL."""


def open_filesystem(url: str) -> tuple[Any, str]:
    """The file system of a URL or path, and the path in it.

    Raises:
        UserError: fsspec or the package for the URL is missing, or the URL is not understood.
    """
    require_packages("a catalogue", "cluster", "fsspec")
    import fsspec

    protocol = fsspec.core.split_protocol(url)[0] or "file"
    try:
        kind = fsspec.get_filesystem_class(protocol)  # not `url_to_fs`, for which `::` in a name ends it
        filesystem, path = kind(**kind._get_kwargs_from_urls(url)), kind._strip_protocol(url)
    except ImportError as error:
        raise UserError(f"'{url}' needs a package that is not installed ({error}): install it with pip") from None
    except ValueError as error:
        raise UserError(f"'{url}' is no path and no URL that fsspec knows ({error}): check it") from None
    return filesystem, str(Path(path).resolve().as_posix()) if is_local(filesystem) else path.rstrip("/")


def is_local(filesystem: Any) -> bool:
    """Whether the files are on this computer's disks."""
    protocols = filesystem.protocol
    return "file" in ((protocols,) if isinstance(protocols, str) else protocols)
