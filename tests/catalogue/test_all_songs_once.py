"""Many short songs on a Ray cluster of two nodes, with kills of a worker, a node and the run: each song once.

The short form has 30 songs. `HTDEMUCS_N_CATALOGUE_SONGS=300` gives the long one, in which one song more is three hours
of silence at 1,000 samples per second; in the short form that song has three minutes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from htdemucs_n.catalogue.ledger import Ledger, Record
from htdemucs_n.catalogue.status import verify
from htdemucs_n.catalogue.store import Store

pytest.importorskip("fsspec")
pytest.importorskip("ray")
pytest.importorskip("s3fs")
pytest.importorskip("moto.server")
from catalogue_helpers import Fault, make_songs, s3, s3_server  # noqa: F401
from graph_helpers import exported, tiny_bands

SONGS = int(os.environ.get("HTDEMUCS_N_CATALOGUE_SONGS", "30"))
LONG = 10_800 if SONGS >= 300 else 180
"""Seconds of the longest song."""

RUN = """
import sys
from htdemucs_n.catalogue.processes import Processes
from htdemucs_n.catalogue.run import run_catalogue
from htdemucs_n.catalogue.worker import Work
from htdemucs_n.separation.track import Output

if __name__ == "__main__":
    source, dest, address = sys.argv[1:]
    separator = {"model": ["tiny.onnx"], "engine": "onnx", "threads": 1}
    work = Work(dest, separator, Output("flac"), claim_seconds=9.0)
    if address:
        from htdemucs_n.catalogue.ray_workers import RayWorkers
        workers = RayWorkers(work, address)
    else:
        workers = Processes(work, 1)
    run_catalogue(source, dest, workers, lambda record: print(record.key, flush=True))
"""
"""The command, with claims that expire soon."""


def start(folder: Path, dest: str, address: str) -> subprocess.Popen[str]:
    command = [sys.executable, "run.py", "s3://bucket/in", dest, address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)


def read_songs(process: subprocess.Popen[str], count: int) -> None:
    """Wait for `count` more songs of a run."""
    assert process.stdout is not None
    for _ in range(count):
        assert process.stdout.readline(), "the run ended too early"


def ray_worker() -> int:
    """A process of Ray that has a song."""
    for _ in range(100):
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "cmdline").read_bytes().startswith(b"ray::_Actor.do"):
                    return int(folder.name)
            except OSError:  # it has ended
                continue
        time.sleep(0.05)
    raise AssertionError("no worker has a song")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the workers are found in /proc")
def test_every_song_once(
    tmp_path: Path,
    s3: list[Fault],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import s3fs

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.chdir(tmp_path)
    from ray.cluster_utils import Cluster

    exported(tiny_bands(), tmp_path / "tiny.onnx")
    (tmp_path / "run.py").write_text(RUN)
    songs = make_songs(tmp_path / "in", SONGS, 0.1)
    songs.append(tmp_path / "in" / "long.wav")
    soundfile.write(songs[-1], np.zeros(1000 * LONG, np.float32), 1000, subtype="PCM_U8")
    (tmp_path / "in" / "bad.mp3").write_text("no sound")
    (tmp_path / "in" / "empty.wav").touch()
    files = s3fs.S3FileSystem()
    files.put(f"{tmp_path / 'in'}/", "bucket/in/", recursive=True)
    s3 += [Fault("PUT .*/stems/", times=3), Fault("GET .*/in/", "503 Slow Down", "SlowDown", times=3)]

    dest = "s3://bucket/stems"
    quickly = {"health_check_period_ms": 500, "health_check_failure_threshold": 4}
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": quickly}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        node = cluster.add_node(num_cpus=1)
        run = start(tmp_path, dest, cluster.address)
        read_songs(run, SONGS // 6)
        os.kill(ray_worker(), signal.SIGKILL)
        read_songs(run, SONGS // 6)
        cluster.remove_node(node, allow_graceful=False)
        read_songs(run, SONGS // 6)
        run.kill()
        run.wait()
        two = [start(tmp_path, dest, address) for address in (cluster.address, "")]  # at once
        for process in two:
            process.communicate(timeout=500)
    finally:
        cluster.shutdown()
    assert [process.returncode for process in two] == [0, 0]

    records = list(Ledger(Store(dest)).records())
    states = {record.key: record.state for record in records}
    versions = sorted((record.key, record.fingerprint, record.state, record.finished) for record in records)
    twice = [version for version in versions if sum(version[0] == other[0] for other in versions) > 1]
    assert twice == []
    assert len(records) == SONGS + 3
    assert {key for key, state in states.items() if state != "separated"} == {"bad.mp3", "empty.wav"}
    assert list(verify(dest)) == []
    left = [name for name in Store(dest).names("_catalogue") if "/claims/" in name]
    assert left == []
    assert_same_as_separate(songs, records, tmp_path)


def assert_same_as_separate(songs: list[Path], records: list[Record], folder: Path) -> None:
    """The hashes in the ledger are those of the files that `htdemucs-n separate` writes; `verify` has compared them."""
    import hashlib

    command = [sys.executable, "-m", "htdemucs_n", "separate", *map(str, songs), "-o", "own", "--format", "flac"]
    command += ["-n", "tiny.onnx", "--engine", "onnx", "--threads", "1", "--filename", "{track}/{stem}.{ext}"]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    stems = {record.key: record.stems for record in records}
    for song in songs:
        own = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob(f"own/{song.stem}/*")}
        assert len(own) == 4
        assert stems[song.relative_to(folder / "in").as_posix()] == own
