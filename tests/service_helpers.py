"""A service around a model with known stems, in this process or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import soundfile
from fastapi.testclient import TestClient

from audio_helpers import ON_STAND_IN, SplitEngine, tones
from htdemucs_n.separation import Separator
from htdemucs_n.service.app import opened_app
from htdemucs_n.service.separators import Load
from htdemucs_n.service.settings import Limits, Settings

JOBS = "/api/v1/jobs"
HERE = "http://127.0.0.1:8765"


@contextlib.contextmanager
def service(
    library: Path,
    engine: SplitEngine | None = None,
    limits: Limits | None = None,
    load: Load | None = None,
    **settings: Any,
) -> Iterator[TestClient]:
    """A client of a running service."""
    chosen = replace(Settings(library, **settings), limits=limits or Limits())
    with (
        opened_app(chosen, Separator(engine or SplitEngine()), "split", load) as app,
        TestClient(app, base_url=HERE) as client,
    ):
        yield client


def song(seconds: float = 0.5, frequency: float = 440.0) -> bytes:
    """A WAV file."""
    file = io.BytesIO()
    soundfile.write(file, tones((frequency, 660.0), 44100, seconds).T, 44100, format="WAV")
    return file.getvalue()


def submit(client: TestClient, content: bytes | None = None, name: str = "a.wav", **options: str) -> Any:
    """The response to an upload."""
    return client.post(JOBS, files={"file": (name, song() if content is None else content)}, data=options)


def ended(client: TestClient, job: str) -> dict[str, Any]:
    """A job when it has ended."""
    for _ in range(600):
        found: dict[str, Any] = client.get(f"{JOBS}/{job}").json()
        if found["state"] not in ("queued", "running"):
            return found
        time.sleep(0.02)
    raise AssertionError(f"the job did not end: {found}")


def samples(content: bytes) -> np.ndarray:
    """Samples `(C, T)` of a file."""
    return soundfile.read(io.BytesIO(content), always_2d=True)[0].T


SLOW = """
import time
SplitEngine.separate = lambda self, mixture, old=SplitEngine.separate: (time.sleep(0.01), old(self, mixture))[1]
"""


class Process:
    """A service in a process of its own; its log is read as it comes."""

    def __init__(self, folder: Path, *options: str, slow: bool = False, verb: str = "serve") -> None:
        code = ON_STAND_IN + (SLOW if slow else "") + "main()"
        command = [sys.executable, "-c", code, verb, "--port", "0", "--library", str(folder / "library"), *options]
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.log: queue.Queue[dict[str, object]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.url = self._printed_url() if verb == "studio" else str(self.wait_for("listening")["url"])

    def _printed_url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()[4]  # the studio is at ...

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.put(json.loads(line))

    def wait_for(self, message: str) -> dict[str, object]:
        while True:
            entry = self.log.get(timeout=60)
            if entry["message"] == message:
                return entry

    def end(self, sign: signal.Signals) -> int:
        self.process.send_signal(sign)
        return self.process.wait(30)


@contextlib.contextmanager
def running(
    folder: Path, *options: str, slow: bool = False, verb: str = "serve"
) -> Iterator[tuple[Process, httpx.Client]]:
    """A service in a process of its own, and a client of it."""
    process = Process(folder, *options, slow=slow, verb=verb)
    try:
        with httpx.Client(base_url=process.url, timeout=60) as client:
            yield process, client
    finally:
        process.process.kill()
        process.process.wait()
