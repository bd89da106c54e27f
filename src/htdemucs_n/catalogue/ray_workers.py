"""Workers as actors of a Ray cluster, one for each share of its cores or for each of its GPUs."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from htdemucs_n.catalogue.ledger import Record
from htdemucs_n.catalogue.processes import Event
from htdemucs_n.catalogue.songs import Song
from htdemucs_n.catalogue.worker import Work, Worker
from htdemucs_n.errors import DeviceError, UserError


class RayWorkers:
    """The workers of the cluster at `address` (`auto`: the one that this computer is in, or a new one on it alone).

    An actor has the cores of the option `threads`, one by default, and a GPU where the device is one. An actor that
    dies, with its node or alone, is replaced. Every actor has one song at a time, so nothing piles up.

    Raises:
        UserError: there is no such cluster, or its Ray or Python is of another version.
    """

    def __init__(self, work: Work, address: str) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        self._ray = ray
        if not ray.is_initialized():
            _connect(ray, address)
        self._threads = work.separator.get("threads") or 1
        self._work = replace(work, separator=work.separator | {"threads": self._threads})

    def run(self, songs: Iterator[Song]) -> Iterator[Event]:
        """The events of all `songs`, as they come."""
        gpus = 1 if str(self._work.separator.get("device")).startswith("cuda") else 0
        actor: Any = self._ray.remote(num_cpus=self._threads, num_gpus=gpus, max_restarts=0)(_Actor)
        available = self._ray.cluster_resources()
        count = int(available.get("GPU", 0)) if gpus else int(available.get("CPU", 0)) // self._threads
        if not count:
            raise DeviceError("the cluster has no room for a worker: lower --threads, or add nodes")
        free: list[Any] = [actor.remote(self._work) for _ in range(count)]
        running: dict[Any, tuple[Any, Song]] = {}
        try:
            while True:
                while free and (song := next(songs, None)) is not None:
                    worker = free.pop()
                    running[worker.do.remote(song)] = (worker, song)
                if not running:
                    return
                (answer,), _ = self._ray.wait(list(running), num_returns=1)
                worker, song = running.pop(answer)
                try:
                    outcome: Record | None = self._ray.get(answer)
                except self._ray.exceptions.RayActorError:
                    free.append(actor.remote(self._work))
                    yield song, "died"
                except self._ray.exceptions.RayTaskError as error:
                    raise _cause(error) from None
                else:
                    free.append(worker)
                    yield song, outcome
        finally:
            for worker in [*free, *(worker for worker, _ in running.values())]:
                self._ray.kill(worker)


class _Actor:
    """A worker that is made with the actor."""

    def __init__(self, work: Work) -> None:
        self._worker = Worker(work)

    def do(self, song: Song) -> Record | None:
        return self._worker.do(song)


def _connect(ray: Any, address: str) -> None:
    _check_reachable(address)
    try:
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        except ConnectionError:
            if address != "auto":
                raise
            ray.init(log_to_driver=False, configure_logging=False)
    except (ConnectionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(f"there is no Ray cluster at '{address}' ({reason}): start one, or check it") from None
    except RuntimeError as error:  # "Version mismatch"
        reason = " ".join(str(error).split())
        raise DeviceError(f"the Ray cluster at '{address}' cannot be used ({reason}): use one version of Ray") from None


def _check_reachable(address: str) -> None:
    """Raise `DeviceError` where nothing listens at `HOST:PORT`: Ray itself would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise DeviceError(f"there is no Ray cluster at '{address}' ({error}): give HOST:PORT, or auto") from None


def _cause(error: Any) -> BaseException:
    """What a worker raised."""
    cause = error.cause
    return cause if isinstance(cause, UserError) else error
