"""What an engine is: all that separation knows of a model and of the library that runs it."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from htdemucs_n.engines.sources import ModelSource
from htdemucs_n.errors import DeviceError, OptionError, UserError

if TYPE_CHECKING:  # the command line imports this file before it is known what it will need
    import numpy as np
    from numpy.typing import NDArray

PRECISION_NAMES = ("fp32", "bf16", "fp16")
"""Of the convolutions and matrix products. No engine has to have all of them."""

DEVICE_KINDS = ("auto", "cpu", "cuda", "mps", "xpu")
"""Kinds of devices that some engine runs on; `auto` chooses one. GPUs are for torch alone."""

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


def check_device(name: str) -> None:
    """Raise `OptionError` unless the device is one of a kind that some engine knows. `cuda:1` is of the kind `cuda`."""
    if str(name).partition(":")[0] not in DEVICE_KINDS:
        raise OptionError(f"unknown device '{name}': use {', '.join(DEVICE_KINDS)}")


def ran_out_of_memory(error: Exception) -> bool:
    """Whether an error means that memory ran out. On a CPU the libraries show it only in the message."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _OF_MEMORY):
        return True
    return isinstance(error.__cause__, Exception) and ran_out_of_memory(error.__cause__)


_OF_MEMORY = (
    "alloc",
    "memoryerror",
    "can't start new thread",
    "resource temporarily unavailable",
    "failed to map segment",
    "without setting an exception",
    "without exception set",
    "unable to create type object",
)
"""In messages, what says that there was no memory: for data, for the stack of a thread (as Python and as C++ have it),
for a library, and for an exception that could say so."""


@contextlib.contextmanager
def memory_checked(message: str) -> Iterator[None]:
    """Raise `DeviceError` with `message` in place of an error that means that memory ran out."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not ran_out_of_memory(error):
            raise
        raise DeviceError(message) from error
