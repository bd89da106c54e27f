"""Write a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from htdemucs_n.errors import UserError


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content` beside `path` and move it there, with the folder where it is missing. Text is UTF-8.

    Raises:
        UserError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(path)
    except OSError as error:
        raise UserError(f"cannot write '{path}' ({error.strerror}): choose another output folder") from None
    finally:
        if part.exists():
            part.unlink()
