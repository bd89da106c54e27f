"""What an engine is: all that separation knows of a model and of the library that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.engines.sources import ModelSource
from htdemucs_n.errors import OptionError

PRECISION_NAMES = ("fp32", "bf16", "fp16")
"""Of the convolutions and matrix products. No engine has to have all of them."""

SHORTEST_SEGMENT = 0.1
LONGEST_SEGMENT = 600.0
"""Seconds."""


@runtime_checkable
class Engine(Protocol):
    """Runs a model on segments of a mixture. Several threads may use one engine at once."""

    name: str
    """`onnx`, `openvino` or `torch`, or of an engine of one's own."""
    device: str
    """Where it runs, such as `cpu`, for messages and reports."""
    precision: str
    """One of `PRECISION_NAMES`."""
    sources: tuple[str, ...]
    """Names of the stems, in the order of the output."""
    samplerate: int
    """Hz."""
    segment: float
    """Seconds that it takes at once."""
    overlap: float
    """Part of a segment that it shares with the next by default."""
    batch: int
    """Segments that it takes at once by default."""

    def separate(self, mixture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Separate `(B, 2, T)`, any T from 1 to the segment, into `(B, S, 2, T)`, which the caller may overwrite.

        Raises:
            MemoryError: memory ran out; fewer segments may fit.
        """


@dataclass(frozen=True)
class EngineOptions:
    """What an engine is asked for: the models, one weight each in the average of their stems, and how they are run.

    The other options are those of `Separator`, with the same defaults.
    """

    sources: Sequence[ModelSource]
    weights: Sequence[float]
    device: str = "auto"
    precision: str = "auto"
    segment: float | None = None
    trusted: bool = False
    threads: int | None = None


def check_precision(name: str) -> None:
    """Raise `OptionError` unless some engine has the precision."""
    if name not in ("auto", *PRECISION_NAMES):
        raise OptionError(f"unknown precision '{name}': use auto, {', '.join(PRECISION_NAMES)}")


def ran_out_of_memory(error: Exception) -> bool:
    """Whether an error means that memory ran out. On a CPU the libraries show it only in the message."""
    return isinstance(error, MemoryError) or "alloc" in str(error).lower()
