"""A service around a model with known stems, in this process."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from fastapi.testclient import TestClient

from audio_helpers import SplitEngine, tones
from htdemucs_n.separation import Separator
from htdemucs_n.service.app import opened_app
from htdemucs_n.service.settings import Limits, Settings

JOBS = "/api/v1/jobs"
HERE = "http://127.0.0.1:8765"


@contextlib.contextmanager
def service(
    library: Path, engine: SplitEngine | None = None, limits: Limits | None = None, **settings: Any
) -> Iterator[TestClient]:
    """A client of a running service."""
    chosen = replace(Settings(library, **settings), limits=limits or Limits())
    with (
        opened_app(chosen, Separator(engine or SplitEngine()), "split") as app,
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
