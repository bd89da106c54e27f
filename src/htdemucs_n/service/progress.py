"""Tell those who follow jobs that they have changed: from the thread that separates to the loop that answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from threading import Lock

from htdemucs_n.service.job import WAITING, Job
from htdemucs_n.service.library import NoSuchJob


class _Follower:
    """Who waits in an event loop for changes of one job, or of all."""

    def __init__(self, only: str | None) -> None:
        self.only = only
        self.names: set[str] = set()
        self.woken = asyncio.Event()
        self.loop = asyncio.get_running_loop()


class Changes:
    """Who follows which jobs. A follower gets the newest state, not every state, so that nothing piles up."""

    def __init__(self) -> None:
        self._followers: set[_Follower] = set()
        self._lock = Lock()

    def publish(self, name: str) -> None:
        """Wake the followers of a job; from any thread."""
        with self._lock:
            for follower in self._followers:
                if follower.only in (None, name):
                    follower.names.add(name)
                    with contextlib.suppress(RuntimeError):  # the loop has ended
                        follower.loop.call_soon_threadsafe(follower.woken.set)

    async def follow(self, name: str, read: Callable[[str], Job]) -> AsyncIterator[Job]:
        """A job now and after every change, until it waits for nothing more or is deleted."""
        with contextlib.suppress(NoSuchJob):
            async for _ in self._names(name):
                job = read(name)
                yield job
                if job.state not in WAITING:
                    return

    async def follow_all(self, jobs: Callable[[], list[Job]], read: Callable[[str], Job]) -> AsyncIterator[Job | str]:
        """All jobs now, and each after its changes; in place of a job that was deleted its id. Without an end."""
        first = True
        async for names in self._names(None):
            if first:
                for job in jobs():
                    yield job
                first = False
                continue
            for name in names:
                try:
                    yield read(name)
                except NoSuchJob:
                    yield name

    async def _names(self, only: str | None) -> AsyncIterator[set[str]]:
        """The jobs that have changed since the last time; none the first time."""
        follower = _Follower(only)
        with self._lock:
            self._followers.add(follower)
        try:
            while True:
                with self._lock:
                    names, follower.names = follower.names, set()
                    follower.woken.clear()
                yield names
                await follower.woken.wait()
        finally:
            with self._lock:
                self._followers.discard(follower)
