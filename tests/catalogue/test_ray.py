"""The same run on a Ray cluster of two nodes, of which one goes away."""

from __future__ import annotations

from pathlib import Path

import pytest

from htdemucs_n.catalogue.ledger import Ledger, Record
from htdemucs_n.catalogue.processes import Processes
from htdemucs_n.catalogue.run import run_catalogue
from htdemucs_n.catalogue.status import verify
from htdemucs_n.catalogue.store import Store
from htdemucs_n.catalogue.worker import Work
from htdemucs_n.errors import DeviceError

pytest.importorskip("fsspec")
pytest.importorskip("ray")
from catalogue_helpers import make_songs

MODEL = {"model": ["bands"], "engine": "onnx", "threads": 1}


@pytest.mark.slow
def test_every_song_once_though_a_node_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    from htdemucs_n.catalogue.ray_workers import RayWorkers

    make_songs(tmp_path / "in", 8)
    (tmp_path / "in" / "bad.mp3").write_text("no sound")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        node = cluster.add_node(num_cpus=1)
        work = Work(str(tmp_path / "ray"), MODEL, claim_seconds=6.0)
        records: list[Record] = []

        def report(record: Record) -> None:
            records.append(record)
            if len(records) == 3:
                cluster.remove_node(node, allow_graceful=False)

        states = run_catalogue(str(tmp_path / "in"), work.dest, RayWorkers(work, cluster.address), report)
    finally:
        import ray

        ray.shutdown()
        cluster.shutdown()
    assert states["separated"] + states["there before"] == 8 and states["failed"] == 1
    entered = [record for record in Ledger(Store(work.dest)).records() if record.state == "separated"]
    assert len(entered) == len({record.key for record in entered}) == 8
    assert list(verify(work.dest)) == []

    plain = Work(str(tmp_path / "plain"), MODEL)
    run_catalogue(str(tmp_path / "in"), plain.dest, Processes(plain, 1))
    assert {record.key: record.stems for record in Ledger(Store(plain.dest)).records()} == {
        record.key: record.stems for record in Ledger(Store(work.dest)).records()
    }


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:9"])
def test_a_cluster_that_is_not_there_is_one_line(address: str, tmp_path: Path) -> None:
    from htdemucs_n.catalogue.ray_workers import RayWorkers

    with pytest.raises(DeviceError, match=f"there is no Ray cluster at '{address}'"):
        RayWorkers(Work(str(tmp_path)), address)
