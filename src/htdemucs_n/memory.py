"""Keep freed memory in the process: large tensors come and go every step, and the kernel zeroes each page.

glibc gives every large block its own mapping and returns it on free; the page faults of mapping it again
took a fifth of a training step on a two-core CPU. Elsewhere (musl, macOS, Windows) this does nothing.
"""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8


def keep_freed_memory(one_heap: bool = False) -> None:
    """Serve large blocks from the heap and do not shrink it. Call once, before the first tensor.

    With `one_heap` all threads share one, where each would have one of its own, and keep what it frees for itself.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
        if one_heap:
            mallopt(_M_ARENA_MAX, 1)
