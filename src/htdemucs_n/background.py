"""Let one thread make what another uses, a few items ahead: reading a file, drawing a batch, while the model works."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

_WAIT = 0.1
"""Seconds after which a thread that waits looks whether it should stop."""


class Background(Generic[Item]):
    """Makes `items` in a thread of its own, from now on, keeping at most `ahead` of them ready.

    The order and content are those of a plain loop: only the time at which they are made differs. An exception in the
    making is raised by the `next` that would have returned its item.

    With `ahead=0` there is no thread, and `next` makes its item itself. Where torch makes the items on the CPU that the
    model runs on, that is quicker: a second team of OpenMP threads makes more threads than cores, and GNU's OpenMP then
    lets the model's threads sleep between any two of its loops.
    """

    def __init__(self, items: Iterable[Item], ahead: int = 4) -> None:
        self.waited = 0.0
        """Seconds that `next` has waited in all."""
        self._items = iter(items)
        self._ready: Queue[tuple[bool, Any]] = Queue(ahead)
        self._stop = Event()
        self._thread = Thread(target=self._make, daemon=True) if ahead else None
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
        """Stop making items and wait for the thread to end."""
        self._stop.set()
        with suppress(Empty):
            self._ready.get_nowait()  # makes room: the thread need not wait until it looks
        if self._thread is not None:
            self._thread.join()

    def _make(self) -> None:
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
    """The same items by `Background`, from the first that is asked for; its thread ends when this generator does."""
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
