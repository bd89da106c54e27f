"""Batches drawn ahead in a thread, so that the device never waits for data."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Drawn = TypeVar("Drawn")


class Prefetcher(Generic[Drawn]):
    """Calls `draw` on each of `numbers` in order, up to `depth` ahead of `next`.

    The order and content are those of a plain loop: only the time at which they are drawn differs. An error in
    `draw` is raised by the `next` that would have returned its result.
    """

    def __init__(self, draw: Callable[[int], Drawn], numbers: Iterable[int], depth: int = 2) -> None:
        self.waited = 0.0
        """Seconds that `next` has waited in all."""
        self._queue: queue.Queue[Drawn | Exception] = queue.Queue(depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(draw, numbers), daemon=True)
        self._thread.start()

    def next(self) -> Drawn:
        """The next result. After the last one it would wait for ever: ask for no more than `numbers` has."""
        start = time.monotonic()
        drawn = self._queue.get()
        self.waited += time.monotonic() - start
        if isinstance(drawn, Exception):
            raise drawn
        return drawn

    def close(self) -> None:
        """Stop drawing and wait for the thread to end."""
        self._closed.set()
        self._thread.join()

    def _work(self, draw: Callable[[int], Drawn], numbers: Iterable[int]) -> None:
        for number in numbers:
            try:
                drawn: Drawn | Exception = draw(number)
            except Exception as error:
                drawn = error
            while not self._closed.is_set():
                try:
                    self._queue.put(drawn, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if self._closed.is_set() or isinstance(drawn, Exception):
                return
