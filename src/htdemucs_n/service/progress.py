"""Tell those who follow a job that it has changed: from the thread that separates to the loop that answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from threading import Lock

from htdemucs_n.service.job import WAITING, Job
from htdemucs_n.service.library import NoSuchJob


class Changes:
    """Who follows which job. A follower gets the newest state, not every state, so that nothing piles up."""

    def __init__(self) -> None:
        self._followers: defaultdict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)
        self._lock = Lock()

    def publish(self, name: str) -> None:
        """Wake the followers of a job; from any thread."""
        with self._lock:
            followers = list(self._followers.get(name, ()))
        for loop, changed in followers:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(changed.set)

    async def follow(self, name: str, read: Callable[[str], Job]) -> AsyncIterator[Job]:
        """The job now and after every change, until it waits for nothing more or is deleted."""
        me = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._followers[name].add(me)
        try:
            while True:
                me[1].clear()
                try:
                    job = read(name)
                except NoSuchJob:
                    return
                yield job
                if job.state not in WAITING:
                    return
                await me[1].wait()
        finally:
            with self._lock:
                self._followers[name].discard(me)
                if not self._followers[name]:
                    del self._followers[name]
