"""Measurements on the disk: one JSON file with the machine, the versions, the date and the command that made them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from htdemucs_n.files import write_whole


def write_record(path: Path, about: Mapping[str, Any], **figures: Sequence[Any]) -> None:
    """Write `about` (see `describe_machine`) and lists of dataclasses or plain values, each under its name.

    Empty lists are left out. Raises `UserError` where it can't be written.
    """
    lists = {name: [_plain(row) for row in rows] for name, rows in figures.items() if rows}
    write_whole(path, json.dumps({**about, **lists}, indent=2, allow_nan=False) + "\n")


def _plain(row: Any) -> Any:
    return dataclasses.asdict(row) if dataclasses.is_dataclass(row) and not isinstance(row, type) else row
