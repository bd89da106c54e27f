"""Produce items in a background thread, a few ahead: read a file or draw a batch while the model works."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

_WAIT = 0.1
"""Seconds after which a waiting thread checks whether it should stop."""


class Background(Generic[Item]):
    """Produces `items` in a thread of its own, which starts at once and keeps at most `ahead` of them ready.

    The order and content are those of a plain loop: only the time at which they are produced differs. An exception is
    raised by the `next` that would have returned its item.

    With `ahead=0` there is no thread, and `next` produces its item itself. This is faster where torch produces the
    items on the CPU that the model runs on: a second team of OpenMP threads makes more threads than cores, and GNU's
    OpenMP then lets the model's threads sleep between any two of its loops.
    """

    def __init__(self, items: Iterable[Item], ahead: int = 4) -> None:
        self.waited = 0.0
        """Seconds that `next` has waited in all."""
        self._items = iter(items)
        self._ready: Queue[tuple[bool, Any]] = Queue(ahead)
        self._stop = Event()
        self._thread = Thread(target=self._produce, daemon=True) if ahead else None
        if self._thread is not None:
            self._thread.start()

    def next(self) -> Item:
        """The next item; raises `StopIteration` after the last. Not to be called again once it has raised."""
        start = time.monotonic()
        if self._thread is None:
            item = next(self._items)
            self.waited += time.monotonic() - start
            return item
        good, value = self._ready.get()
        self.waited += time.monotonic() - start
        if not good:
            raise value
        made: Item = value
        return made

    def close(self) -> None:
        """Stop producing items and wait for the thread to end."""
        self._stop.set()
        with suppress(Empty):
            self._ready.get_nowait()  # makes room, so that the thread notices at once
        if self._thread is not None:
            self._thread.join()

    def _produce(self) -> None:
        try:
            for item in self._items:
                if self._stop.is_set():
                    return
                self._offer((True, item))
            self._offer((False, StopIteration()))
        except BaseException as error:  # raised where it can be handled
            self._offer((False, error))

    def _offer(self, entry: tuple[bool, Any]) -> None:
        while not self._stop.is_set():
            with suppress(Full):
                self._ready.put(entry, timeout=_WAIT)
                return


def in_background(items: Iterable[Item], ahead: int = 4) -> Generator[Item, None, None]:
    """The same items through `Background`; its thread starts with the first and ends with this generator."""
    made = Background(items, ahead)
    try:
        while True:
            try:
                item = made.next()
            except StopIteration:
                return
            yield item
    finally:
        made.close()
