"""Memory of a process, and fresh processes to measure it in.

A peak never falls, so what one run took can only be told in a process that did nothing before it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def peak_rss_mib() -> float | None:
    """The most memory that this process has held, MiB; None on Windows, which doesn't say.

    Linux's own counter comes first: `getrusage` starts a new process at the peak of the one that started it.
    """
    if (peak := _status_mib("VmHWM")) is not None:
        return peak
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def rss_mib() -> float | None:
    """The memory that this process holds now, MiB; where only the peak is known, the peak so far."""
    now = _status_mib("VmRSS")
    return peak_rss_mib() if now is None else now


def in_fresh_process(
    function: Callable[Arguments, Result], /, *args: Arguments.args, **keys: Arguments.kwargs
) -> Result:
    """Call a function of a module in a process of its own; what it returns or raises comes back.

    Raises:
        MemoryError: the process was killed, as systems do when memory runs out.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            return pool.submit(function, *args, **keys).result()
        except BrokenProcessPool:
            raise MemoryError("the process was killed, as happens when memory runs out") from None


def _status_mib(field: str) -> float | None:
    """A line of /proc/self/status in MiB; None where there is no such file."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 2**10
    return None
