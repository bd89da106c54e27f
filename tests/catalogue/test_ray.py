"""Workers of a Ray cluster of one node: what goes wrong there is one clear line, or a worker that died."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from htdemucs_n.catalogue.ledger import Ledger, Record
from htdemucs_n.catalogue.run import run_catalogue
from htdemucs_n.catalogue.songs import Song
from htdemucs_n.catalogue.store import Store
from htdemucs_n.catalogue.worker import Work
from htdemucs_n.errors import DeviceError, UserError

pytest.importorskip("fsspec")
pytest.importorskip("ray")
from catalogue_helpers import make_songs

MODEL = {"model": ["bands"], "engine": "onnx", "threads": 1}


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of one node of one core."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield cluster.address
    ray.shutdown()
    cluster.shutdown()
    patch.undo()


def workers(cluster: str, dest: Path, **options: Any) -> Any:
    from htdemucs_n.catalogue.ray_workers import RayWorkers

    return RayWorkers(Work(str(dest), MODEL | options), cluster)


@pytest.mark.slow
def test_another_version_of_ray_is_one_line(cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "__version__", "2.40.0")
    with pytest.raises(DeviceError, match=r"(?i)version mismatch.*use one version of Ray") as error:
        workers(cluster, tmp_path)
    assert "2.40.0" in str(error.value) and "\n" not in str(error.value)
    ray.shutdown()


@pytest.mark.slow
def test_a_missing_token_is_one_line(cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def refuse(**_: object) -> None:
        raise ray.exceptions.RayError("Authentication token is missing or incorrect")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(DeviceError, match=r"token is missing or incorrect.*set RAY_AUTH_MODE=token"):
        workers(cluster, tmp_path)


@pytest.mark.slow
def test_songs_and_their_failures(cluster: str, tmp_path: Path) -> None:
    make_songs(tmp_path / "in", 2)
    (tmp_path / "in" / "bad.mp3").write_text("no sound")
    dest = tmp_path / "out"
    records: list[Record] = []
    states = run_catalogue(str(tmp_path / "in"), str(dest), workers(cluster, dest), records.append)
    assert states == {"separated": 2, "failed": 1} and len(records) == 3
    assert [record.key for record in Ledger(Store(str(dest))).failures()] == ["bad.mp3"]


@pytest.mark.slow
def test_a_node_without_room_for_a_worker_is_one_line(cluster: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no room for a worker: lower --threads"):
        list(workers(cluster, tmp_path, threads=2).run(iter([])))


@pytest.mark.slow
def test_workers_take_gpus_where_the_cluster_has_some(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster of the test has none, so a worker that asks for one finds no room."""
    import ray

    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 1.0, "GPU": 1.0})
    for options in ({"device": "cuda"}, {"engine": "auto"}, {"engine": "torch"}):
        with pytest.raises(DeviceError, match="no room for a worker: choose -d cpu"):
            list(workers(cluster, tmp_path, **options).run(iter([])))
    for options in ({"device": "cpu", "engine": "auto"}, {"engine": "onnx"}):
        with pytest.raises(DeviceError, match="no room for a worker: lower --threads"):
            list(workers(cluster, tmp_path, threads=2, **options).run(iter([])))


@pytest.mark.slow
def test_workers_that_cannot_start_are_one_line(cluster: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"cannot start: .*unknown model 'no_such_model'") as error:
        list(workers(cluster, tmp_path, model=["no_such_model"]).run(iter([])))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_ledger_that_a_worker_cannot_write_ends_the_run(cluster: str, tmp_path: Path) -> None:
    (path,) = make_songs(tmp_path / "in", 1)
    (tmp_path / "_catalogue").mkdir()
    (tmp_path / "_catalogue" / "claims").write_text("a file in place of the folder")
    with pytest.raises(UserError, match="cannot be read or written") as error:
        list(workers(cluster, tmp_path).run(iter([Song("a.wav", f"file://{path}", "1")])))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_fault_in_a_worker_is_its_death(cluster: str, tmp_path: Path) -> None:
    wrong = Song(5, "file:///a.wav", "1")  # type: ignore[arg-type]
    (path,) = make_songs(tmp_path / "in", 1)
    right = Song("a.wav", f"file://{path}", "1")
    (first, died), (second, record) = workers(cluster, tmp_path / "out").run(iter([wrong, right]))
    assert (first, died, second) == (wrong, "died", right)
    assert isinstance(record, Record) and record.state == "separated"


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:9"])
def test_a_cluster_that_is_not_there_is_one_line(address: str, tmp_path: Path) -> None:
    import ray

    from htdemucs_n.catalogue.ray_workers import RayWorkers

    ray.shutdown()  # where another test of this process has left a connection
    with pytest.raises(DeviceError, match=f"there is no Ray cluster at '{address}'"):
        RayWorkers(Work(str(tmp_path)), address)
