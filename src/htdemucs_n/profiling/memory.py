"""Memory of a process, and fresh processes to measure it in.

A peak never falls, so what one run took can only be told in a process that did nothing before it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

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
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call_and_send, args=(sender, function, args, keys))
    process.start()
    sender.close()  # so that the end of the process ends the pipe
    try:
        returned, value = receiver.recv()
    except EOFError:
        raise MemoryError("the process was killed, as happens when memory runs out") from None
    except BaseException:  # Ctrl-C: no one waits for the result
        process.kill()
        raise
    finally:
        process.join()
    if not returned:
        raise value
    result: Result = value
    return result


def _call_and_send(sender: Connection, function: Callable[..., Any], args: Any, keys: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to both; the one that started this ends it
    try:
        sender.send((True, function(*args, **keys)))
    except Exception as error:
        sender.send((False, error))


def _status_mib(field: str) -> float | None:
    """A line of /proc/self/status in MiB; None where there is no such file."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 2**10
    return None
