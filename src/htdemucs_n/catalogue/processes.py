"""Workers as processes of this computer. One that dies is replaced, and its song is told."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from htdemucs_n.catalogue.songs import Song
from htdemucs_n.catalogue.worker import Event, Work, Worker
from htdemucs_n.errors import Cancelled, DeviceError, UserError
from htdemucs_n.worker_process import follow_parent

_MOST_FAILURES = 3
"""Workers in a row that may fail to start."""

_PATIENCE = 30.0
"""Seconds in which a worker that is ended gives its song back."""

_STOPPED = 143
"""Exit code of a process that SIGTERM ended."""


@dataclass(eq=False)
class _Running:
    process: BaseProcess
    pipe: Connection
    is_ready: bool = False
    song: Song | None = None


class Processes:
    """`count` worker processes, fresh interpreters with `threads` threads each.

    Songs go to a worker when it has done the one before, so nothing piles up.
    """

    def __init__(self, work: Work, count: int) -> None:
        self._work, self._count = work, count
        self._context = multiprocessing.get_context("spawn")

    def run(self, songs: Iterator[Song]) -> Iterator[Event]:
        """The events of all `songs`, as they come. A worker that has not started has no song, whose death it would be.

        Raises:
            UserError: the workers cannot start, or a worker raised it.
        """
        running = [self._start() for _ in range(self._count)]
        failures, all_given = 0, False
        try:
            while waiting := [worker for worker in running if worker.song or not (worker.is_ready or all_given)]:
                ready = wait([worker.pipe for worker in waiting])
                for worker in [worker for worker in waiting if worker.pipe in ready]:
                    song = worker.song
                    try:
                        answer = worker.pipe.recv()
                    except (EOFError, OSError):
                        running[running.index(worker)] = self._start()
                        if song is not None:
                            yield song, "died"
                        elif (failures := failures + 1) == _MOST_FAILURES:
                            raise DeviceError(
                                f"{failures} workers have died before their first song: lower --jobs, or make room in "
                                "the memory"
                            ) from None
                        continue
                    if isinstance(answer, BaseException):
                        raise answer
                    if song is not None:
                        yield song, answer
                    worker.is_ready, failures = True, 0
                    all_given = not self._feed(worker, songs)
        finally:
            for worker in running:
                worker.pipe.close()  # a worker that reads ends; one that separates is ended
                worker.process.terminate()
            for worker in running:
                worker.process.join(_PATIENCE)
                worker.process.kill()
                worker.process.join()

    def _feed(self, worker: _Running, songs: Iterator[Song]) -> bool:
        """Give a worker the next song; whether there was one."""
        worker.song = next(songs, None)
        if worker.song is None:
            return False
        with contextlib.suppress(OSError):  # it has died: reading tells
            worker.pipe.send(worker.song)
        return True

    def _start(self) -> _Running:
        here, there = self._context.Pipe()
        process = self._context.Process(target=_work, args=(self._work, there), daemon=True)
        process.start()
        there.close()
        return _Running(process, here)


def _work(work: Work, pipe: Connection) -> None:
    """Do the songs that come through the pipe. SIGTERM ends the process, after the song in work was given back.

    An exception that a handler raises is lost where a library is calling back, so while there is a song the handler
    sets what the separation looks at.
    """
    follow_parent()
    cancel, is_busy = threading.Event(), False

    def stop(*_: object) -> None:
        cancel.set()
        if not is_busy:
            sys.exit(_STOPPED)

    signal.signal(signal.SIGTERM, stop)
    try:
        worker = Worker(work, cancel)
        pipe.send(None)  # it has started
        while True:
            song = pipe.recv()
            is_busy = True
            pipe.send(worker.do(song))
            is_busy = False
            if cancel.is_set():
                return
    except (EOFError, BrokenPipeError, Cancelled):
        return
    except UserError as error:
        pipe.send(error)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends anyway, and says nothing on the way
