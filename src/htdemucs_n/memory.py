"""Memory of this process: how much it holds, and whether what is freed stays in it.

Large tensors come and go every step, and the kernel zeroes each page that a process gets. glibc gives every large block
its own mapping and returns it on free; the page faults of mapping it again took a fifth of a training step on a
two-core CPU. Elsewhere (musl, macOS, Windows) `keep_freed_memory` does nothing.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8


def keep_freed_memory(one_heap: bool = False) -> None:
    """Serve large blocks from the heap and do not shrink it. Call once, before the first tensor.

    With `one_heap` all threads share one heap; otherwise each thread has its own and keeps what it frees.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
        if one_heap:
            mallopt(_M_ARENA_MAX, 1)


def peak_rss_mib() -> float | None:
    """The most memory that this process has held, MiB; None on Windows, which does not report it.

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


def _status_mib(field: str) -> float | None:
    """A line of /proc/self/status in MiB; None where there is no such file."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 2**10
    return None
