"""Workers as actors of a Ray cluster, one for each share of its cores or for each of its GPUs."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from htdemucs_n.catalogue.ledger import Record
from htdemucs_n.catalogue.retry import first_line
from htdemucs_n.catalogue.songs import Song
from htdemucs_n.catalogue.worker import Event, Work, Worker
from htdemucs_n.errors import DeviceError, UserError

_MOST_FAILURES = 3
"""Workers that may fail to start, one after the other."""


class RayWorkers:
    """The workers of the cluster at `address` (`auto`: the one that this computer is in, or a new one on it alone).

    An actor has the cores of the option `threads`, one by default, and a GPU where the device is one, or is `auto` and
    the cluster has GPUs that the engine can use. An actor that dies, with its node or alone, is replaced. Every actor
    has one song at a time, so nothing piles up.

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
        self._gpus = 1 if self._wants_gpus(work.separator) else 0
        self._work = replace(work, separator=work.separator | {"threads": self._threads})

    def run(self, songs: Iterator[Song]) -> Iterator[Event]:
        """The events of all `songs`, as they come.

        Songs go to actors that have started. One that waits for room in the cluster has none, so no song is stuck where
        a node was lost, and nodes that join are used.

        Raises:
            UserError: the cluster has no room for a worker, the workers cannot start, or a worker raised it.
        """
        actor: Any = self._ray.remote(num_cpus=self._threads, num_gpus=self._gpus, max_restarts=0)(_Actor)
        starting: dict[Any, Any] = {}
        running: dict[Any, tuple[Any, Song]] = {}
        free: list[Any] = []
        failures = 0
        try:
            while True:
                for _ in range(self._capacity() - len(starting) - len(running) - len(free)):
                    worker = actor.remote(self._work)
                    starting[worker.is_ready.remote()] = worker
                while free and (song := next(songs, None)) is not None:
                    worker = free.pop()
                    running[worker.do.remote(song)] = (worker, song)
                if free and not running:
                    return
                if not running and not starting:
                    mend = (
                        "choose -d cpu, or add machines with a GPU"
                        if self._gpus
                        else "lower --threads, or add machines"
                    )
                    raise DeviceError(f"the cluster has no room for a worker: {mend}")
                (answer,), _ = self._ray.wait([*running, *starting], num_returns=1)
                if answer in starting:
                    worker = starting.pop(answer)
                    try:
                        self._ray.get(answer)
                        free.append(worker)
                        failures = 0
                    except self._ray.exceptions.RayError as error:
                        failures += 1
                        if failures == _MOST_FAILURES:
                            raise DeviceError(f"the workers of the cluster cannot start: {_reason(error)}") from None
                    continue
                worker, song = running.pop(answer)
                try:
                    outcome: Record | None = self._ray.get(answer)
                except self._ray.exceptions.RayError as error:  # killed, also for its memory; a lost node; a fault
                    cause = getattr(error, "cause", None)
                    if isinstance(cause, UserError):
                        raise cause from None
                    self._ray.kill(worker)
                    yield song, "died"
                else:
                    free.append(worker)
                    yield song, outcome
        finally:
            for worker in [*free, *starting.values(), *(worker for worker, _ in running.values())]:
                self._ray.kill(worker)

    def _wants_gpus(self, options: dict[str, Any]) -> bool:
        """Whether a worker with these options of the separator takes a GPU: only torch uses one."""
        device, engine = str(options.get("device", "auto")), options.get("engine", "auto")
        if device != "auto":
            return device.startswith("cuda")
        has_torch = engine in ("auto", "torch") and find_spec("torch") is not None
        return has_torch and self._ray.cluster_resources().get("GPU", 0) >= 1

    def _capacity(self) -> int:
        """Workers that the nodes of the cluster have room for now."""
        rooms = []
        for node in self._ray.nodes():
            resources = node["Resources"] if node["Alive"] else {}
            by_cores = int(resources.get("CPU", 0)) // self._threads
            rooms.append(min(by_cores, int(resources.get("GPU", 0))) if self._gpus else by_cores)
        return sum(rooms)


class _Actor:
    """A worker that is made with the actor."""

    def __init__(self, work: Work) -> None:
        self._worker = Worker(work)

    def is_ready(self) -> bool:
        """Answered when the worker is made."""
        return True

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
    except ray.exceptions.RayError as error:  # `AuthenticationError`, which versions before 2.52 lack
        raise DeviceError(
            f"the Ray cluster at '{address}' refuses this computer ({first_line(error)}): copy the file "
            "~/.ray/auth_token of its first machine here, and set RAY_AUTH_MODE=token"
        ) from None
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


def _reason(error: Exception) -> str:
    """The last line of what a worker raised, which says what is wrong."""
    return str(error).strip().splitlines()[-1].strip()
