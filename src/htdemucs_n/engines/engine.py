"""What an engine is: all that separation knows of a model and of the library that runs it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Engine(Protocol):
    """Runs a model on segments of a mixture. Several threads may use one engine at once."""

    name: str
    """`onnx`, `openvino` or `torch`, or of an engine of one's own."""
    device: str
    """Where it runs, such as `cpu`, for messages and reports."""
    precision: str
    """`fp32`, `bf16` or `fp16`, of the convolutions and matrix products."""
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
