"""The record of a run in its folder: configuration and command.

out/config.yaml    every key, as `htdemucs-n train` reads it
out/run.json       version, command, time and machine of each start
"""

from __future__ import annotations

import datetime
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from htdemucs_n import __version__
from htdemucs_n.files import write_whole
from htdemucs_n.provenance import describe_machine
from htdemucs_n.training.config import TrainConfig

log = logging.getLogger(__name__)


def record_run(config: TrainConfig, step: int) -> None:
    """Write both files into the folder of the run, which exists, at a start from `step`.

    Where the run continues with other settings than before, one line of the log names them.
    """
    folder = Path(config.misc.out)
    values = config.to_dict()
    before = _read(folder / "config.yaml", yaml.safe_load)
    if step and before:
        changed = [f"{key} {old} -> {new}" for key, old, new in _differences(before, values)]
        if changed:
            log.info("the run continues with other settings: %s", "; ".join(changed))
    write_whole(folder / "config.yaml", yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    starts = _read(folder / "run.json", json.loads) or []
    about = describe_machine(torch.get_num_threads(), config.misc.device)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    starts.append({"version": __version__, **about, "command": sys.argv, "started": now, "step": step})
    write_whole(folder / "run.json", json.dumps(starts, indent=2) + "\n")


def _read(path: Path, parse: Any) -> Any:
    """What a file holds; None where it is missing or damaged."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The keys whose value has changed, with both values."""
    for key, value in now.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            yield from _differences(old, value, f"{prefix}{key}.")
        elif old != value:
            yield f"{prefix}{key}", old, value
