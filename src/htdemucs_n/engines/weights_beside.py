"""Whether the file of weights beside a graph is the one that the graph was exported with.

Such a graph has places in that file and no weights of its own: in any other file there is something else at them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from htdemucs_n.engines.checksum import checksum
from htdemucs_n.engines.engine import ran_out_of_memory
from htdemucs_n.errors import ModelError
from htdemucs_n.files import is_file

WEIGHTS = "weights"
"""The key, in the metadata of a graph, of the checksum and the name of the file of its weights."""


def weights_metadata(weights: Path) -> dict[str, str]:
    """The metadata of a graph that refers to the file `weights`.

    Raises:
        OSError: the file cannot be read.
    """
    return {WEIGHTS: f"{_checksum_of(weights)} {weights.name}"}


def check_weights(graph: Path, metadata: Mapping[str, str]) -> None:
    """Raise `ModelError` where the file that the metadata of `graph` name is missing, or not the one it was then."""
    if WEIGHTS not in metadata:
        return  # they are in the graph
    wanted, _, name = metadata[WEIGHTS].partition(" ")
    weights = graph.parent / name
    try:
        same = is_file(weights) and _checksum_of(weights) == wanted
    except (OSError, ValueError) as error:  # it cannot be read, or is empty
        if ran_out_of_memory(error):
            raise
        same = False
    if not same:
        raise ModelError(
            f"{graph} cannot be used with {weights}, which is not the file that it was exported with: "
            "export it again, or restore that file"
        )


def _checksum_of(weights: Path) -> str:
    return f"{checksum(np.memmap(weights, np.uint8, 'r')):08x}"
