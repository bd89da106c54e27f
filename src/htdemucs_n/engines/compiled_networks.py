"""Networks as OpenVINO compiled them, kept in one file of the user's cache folder for each set of models and settings.

A start that finds its own file reads no model. The file has 8 bytes of length, a JSON header, and the networks, each
from a multiple of 4,096 bytes on, so that they can be used where they lie in the file. At its end are 8 bytes of a
checksum of all before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.engines.checksum import PAGE, checksum
from htdemucs_n.engines.user_cache import cache_folder
from htdemucs_n.files import folder_entries, moved_into_place

_LENGTH = 8

KEPT_FILES = 8
"""Files that stay in the folder, the last used ones."""


@dataclass(frozen=True)
class CompiledNetworks:
    """What a file holds: the networks, and facts about them that can be written as JSON."""

    facts: Any
    networks: Sequence[NDArray[np.uint8]]


def compiled_file(models: Sequence[Path], settings: Any) -> Path | None:
    """The place of the networks of `models` under `settings`, anything that `repr` tells apart.

    It changes with the models, and with every file of weights in their folders, to which they may refer. None where
    nothing can be kept.
    """
    if (folder := cache_folder("openvino")) is None:
        return None
    weights = {
        file
        for place in {model.parent for model in models}
        for file in folder_entries(place)
        if file.suffix in (".safetensors", ".bin")
    }
    try:
        states = [
            (str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in [*models, *sorted(weights)]
        ]
    except OSError:
        return None
    return folder / f"{hashlib.sha256(repr((states, settings)).encode()).hexdigest()[:32]}.networks"


def read_compiled(path: Path) -> CompiledNetworks | None:
    """What `keep_compiled` wrote to `path`; None where there is nothing, or something else."""
    try:
        # Copied where it is written to: OpenVINO asks for memory that it may write.
        file = np.memmap(path, np.uint8, "c")
        content = file[:-_LENGTH]
        if file[-_LENGTH:].tobytes() != checksum(content).to_bytes(_LENGTH, "little"):
            return None
        path.touch()
        end = _LENGTH + int.from_bytes(content[:_LENGTH].tobytes(), "little")
        header = json.loads(content[_LENGTH:end].tobytes())
    except (OSError, ValueError, MemoryError):
        return None
    start, networks = _whole_pages(end), []
    for size in header["sizes"]:
        networks.append(content[start : start + size])
        start += _whole_pages(size)
    return CompiledNetworks(header["facts"], networks)


def keep_compiled(path: Path, facts: Any, networks: Sequence[bytes]) -> None:
    """Write networks to `path`, where there is room for them, and remove the files that were not used for longest."""
    header = json.dumps({"facts": facts, "sizes": [len(network) for network in networks]}).encode()
    with contextlib.suppress(OSError):
        with moved_into_place(path) as part:
            with part.open("wb") as file:
                for block in (len(header).to_bytes(_LENGTH, "little") + header, *networks):
                    file.write(block)
                    file.write(bytes(_whole_pages(len(block)) - len(block)))
            of_all = checksum(np.memmap(part, np.uint8, "r"))
            with part.open("ab") as file:
                file.write(of_all.to_bytes(_LENGTH, "little"))
        for old in sorted(folder_entries(path.parent), key=_last_used)[:-KEPT_FILES]:
            old.unlink(missing_ok=True)


def _last_used(path: Path) -> float:
    return path.stat().st_mtime


def _whole_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE
