"""Catalogues of short songs, and an S3 server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server in this process, with the bucket `bucket`."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    patch = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        patch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().makedirs("bucket", exist_ok=True)  # another server of this process has the same buckets
    yield f"http://{host}:{port}"
    patch.undo()
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()
