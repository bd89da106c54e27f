"""A fresh process to measure memory in: a peak never falls, so it must be read in a process that did nothing else."""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


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
