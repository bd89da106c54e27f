"""Catalogues of short songs, and an S3 server on loopback that fails on request."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from htdemucs_n.catalogue.songs import Song


def make_songs(folder: Path, count: int, seconds: float = 0.3) -> list[Path]:
    """Songs of noise, each with its own seed, in folders of two."""
    paths = []
    for number in range(count):
        path = folder / f"album{number // 2}" / f"song{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = 0.1 * np.random.default_rng(number).standard_normal((round(44100 * seconds), 2))
        soundfile.write(path, noise, 44100)
        paths.append(path)
    return paths


def song(key: str, fingerprint: str = "1") -> Song:
    return Song(key, f"file:///{key}", fingerprint)


@dataclass
class Fault:
    """What an S3 server does wrong with the first `times` requests that match, such as `PUT /bucket/stems/.*`.

    It waits for `seconds`, and then answers with the error `code`, or rightly where there is none, or `cut` after half
    of the content. `seen` counts these requests.
    """

    matches: str
    status: str = "500 Internal Server Error"
    code: str = "InternalError"
    times: int = 1_000_000
    seconds: float = 0.0
    cut: bool = False
    seen: int = 0


@dataclass
class FaultyServer:
    """A WSGI application with faults in front of another."""

    application: Callable[..., Iterable[bytes]]
    faults: list[Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        request = f"{environment['REQUEST_METHOD']} {environment['PATH_INFO']}?{environment['QUERY_STRING']}"
        fault = self._next(request)
        if fault is None:
            return self.application(environment, start)
        time.sleep(fault.seconds)
        if fault.cut:
            content = b"".join(self.application(environment, start))
            return [content[: len(content) // 2]]
        if not fault.code:
            return self.application(environment, start)
        environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
        start(fault.status, [("Content-Type", "application/xml"), ("Connection", "close")])
        return [f"<Error><Code>{fault.code}</Code><Message>{fault.code} of the test</Message></Error>".encode()]

    def _next(self, request: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if re.match(fault.matches, request) and fault.seen < fault.times:
                    fault.seen += 1
                    return fault
        return None


@pytest.fixture(scope="module")
def s3_server() -> Iterator[FaultyServer]:
    """An S3 server in this process, with the bucket `bucket`; the environment has its address."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    application = FaultyServer(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    patch = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
    }.items():
        patch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    if files.exists("bucket"):  # of another server of this process, which has the same buckets
        files.rm("bucket", recursive=True)
    files.makedirs("bucket")
    yield application
    patch.undo()
    s3fs.S3FileSystem.clear_instance_cache()
    server.shutdown()


@pytest.fixture
def s3(s3_server: FaultyServer) -> Iterator[list[Fault]]:
    """The faults of the server, none at first."""
    yield s3_server.faults
    s3_server.faults.clear()
