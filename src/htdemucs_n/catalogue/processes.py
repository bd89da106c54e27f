"""Workers as processes of this computer. One that dies is replaced, and its song is told."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from htdemucs_n.catalogue.songs import Song
from htdemucs_n.catalogue.worker import Event, Work, Worker
from htdemucs_n.errors import UserError
from htdemucs_n.worker_process import follow_parent


@dataclass(eq=False)
class _Running:
    process: BaseProcess
    pipe: Connection
    song: Song | None = None


class Processes:
    """`count` worker processes, fresh interpreters with `threads` threads each.

    Songs go to a worker when it has done the one before, so nothing piles up.
    """

    def __init__(self, work: Work, count: int) -> None:
        self._work, self._count = work, count
        self._context = multiprocessing.get_context("spawn")

    def run(self, songs: Iterator[Song]) -> Iterator[Event]:
        """The events of all `songs`, as they come.

        Raises:
            UserError: no worker could start.
        """
        running = [self._start() for _ in range(self._count)]
        try:
            for worker in running:
                self._feed(worker, songs)
            while any(worker.song is not None for worker in running):
                ready = wait([worker.pipe for worker in running if worker.song is not None])
                for worker in [worker for worker in running if worker.pipe in ready]:
                    song = worker.song
                    assert song is not None
                    try:
                        answer = worker.pipe.recv()
                    except (EOFError, OSError):
                        running[running.index(worker)] = worker = self._start()
                        yield song, "died"
                    else:
                        if isinstance(answer, BaseException):
                            raise answer
                        yield song, answer
                    self._feed(worker, songs)
        finally:
            for worker in running:
                worker.pipe.close()  # a worker that reads ends; one that separates is ended
                worker.process.terminate()
                worker.process.join()

    def _feed(self, worker: _Running, songs: Iterator[Song]) -> None:
        worker.song = next(songs, None)
        if worker.song is not None:
            with contextlib.suppress(OSError):  # it has died: reading tells
                worker.pipe.send(worker.song)

    def _start(self) -> _Running:
        here, there = self._context.Pipe()
        process = self._context.Process(target=_work, args=(self._work, there), daemon=True)
        process.start()
        there.close()
        return _Running(process, here)


def _work(work: Work, pipe: Connection) -> None:
    follow_parent()
    try:
        worker = Worker(work)
        while True:
            pipe.send(worker.do(pipe.recv()))
    except (EOFError, BrokenPipeError):
        return
    except UserError as error:
        pipe.send(error)
