"""Let one thread make what another uses, a few items ahead: reading a file while the model works."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, TypeVar

Item = TypeVar("Item")

_WAIT = 0.1
"""Seconds after which a thread that waits looks whether it should stop."""


def in_background(items: Iterable[Item], ahead: int = 4) -> Generator[Item, None, None]:
    """The same items, made by a thread of their own that keeps at most `ahead` of them ready.

    An exception in the making is raised here, in its place. The thread has ended when this generator has.
    """
    ready: Queue[tuple[bool, Any]] = Queue(ahead)
    stop = Event()

    def offer(entry: tuple[bool, Any]) -> None:
        waiting = True
        while waiting and not stop.is_set():
            with suppress(Full):
                ready.put(entry, timeout=_WAIT)
                waiting = False

    def make() -> None:
        try:
            for item in items:
                if stop.is_set():
                    return
                offer((True, item))
            offer((False, None))
        except BaseException as error:  # raised where it can be handled
            offer((False, error))

    thread = Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            good, value = ready.get()
            if good:
                yield value
            elif value is None:
                return
            else:
                raise value
    finally:
        stop.set()
        with suppress(Empty):
            ready.get_nowait()  # makes room: the thread need not wait until it looks
        thread.join()
