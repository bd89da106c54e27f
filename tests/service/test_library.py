"""The library on the disk: what a process that dies leaves, who may use it, and what it refuses."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from audio_helpers import SplitEngine
from htdemucs_n.errors import UserError
from htdemucs_n.service.job import Options
from htdemucs_n.service.library import Library
from service_helpers import JOBS, ended, service, song, submit


def add(library: Library, content: bytes = b"song", name: str = "a") -> str:
    job, is_new = library.submit(library.receive(io.BytesIO(content)), name, Options(), "split", "auto", None)
    assert is_new
    return job.id


def test_jobs_are_found_again(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        job = ended(client, submit(client, name="歌 🎵.wav").json()["id"])
        stem = client.get(f"{JOBS}/{job['id']}/files/drums").content
    engine = SplitEngine()
    with service(tmp_path, engine) as client:
        assert client.get(JOBS).json() == [job]
        assert client.get(f"{JOBS}/{job['id']}/files/drums").content == stem
        assert submit(client).status_code == 200 and not engine.lengths


def test_what_was_running_and_what_waited_goes_on_in_order(tmp_path: Path) -> None:
    library = Library(tmp_path)
    names = [add(library, song(0.2 + number / 10), str(number)) for number in range(3)]
    library.change(names[0], state="running")
    library.stems(library.job(names[0])).mkdir()
    (library.stems(library.job(names[0])) / ".0123456789ab.part").touch()
    library.close()
    again = Library(tmp_path)
    assert [job.state for job in again.jobs()] == ["queued"] * 3
    assert [job.id for job in again.jobs()] == names
    assert not again.stems(again.job(names[0])).exists()
    again.close()
    with service(tmp_path) as client:
        assert [ended(client, name)["state"] for name in names] == ["done"] * 3


def test_leftovers_of_a_process_that_died_are_removed(tmp_path: Path) -> None:
    library = Library(tmp_path)
    kept = add(library)
    library.close()
    (tmp_path / "uploads" / "half").write_bytes(b"x")
    (tmp_path / "songs" / "unused").write_bytes(b"x")
    (tmp_path / "jobs" / "deleted" / "stems").mkdir(parents=True)
    again = Library(tmp_path)
    assert [job.id for job in again.jobs()] == [kept]
    assert {path.name for path in (tmp_path / "jobs").iterdir()} == {kept}
    assert len(list((tmp_path / "songs").iterdir())) == 1 and not list((tmp_path / "uploads").iterdir())
    again.close()


def test_a_job_that_cannot_be_read_is_left_as_it_is(tmp_path: Path) -> None:
    library = Library(tmp_path)
    broken, good = add(library, b"one"), add(library, b"two")
    library.close()
    (tmp_path / "jobs" / broken / "job.json").write_text("{")
    again = Library(tmp_path)
    assert [job.id for job in again.jobs()] == [good]
    assert len(list((tmp_path / "songs").iterdir())) == 2
    again.close()


def test_one_service_uses_a_library(tmp_path: Path) -> None:
    library = Library(tmp_path)
    with pytest.raises(UserError, match="used by another service"):
        Library(tmp_path)
    library.close()
    Library(tmp_path).close()


def test_a_library_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    library = Library(tmp_path)
    add(library)
    library.close()
    (tmp_path / "version").write_text("2\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="has the form 2, and this program reads form 1: update it"):
        Library(tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_folder_that_cannot_be_a_library(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot make the folder"):
        Library(tmp_path / "file")


def test_the_size_is_that_of_all_files(tmp_path: Path) -> None:
    library = Library(tmp_path)
    before = library.size()
    name = add(library, bytes(10_000))
    assert 10_000 < library.size() - before < 11_000
    library.delete(name)
    assert library.size() == before
    library.close()


def test_a_stop_lets_the_running_job_wait_again(tmp_path: Path) -> None:
    opened, entered = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        opened.wait(20)

    with service(tmp_path, SplitEngine(before=hold)) as client:
        first, second = submit(client, song(3.0)).json()["id"], submit(client, song(1.0)).json()["id"]
        assert entered.wait(10)
        threading.Timer(0.2, opened.set).start()
    library = Library(tmp_path)
    assert [(job.id, job.state, job.progress) for job in library.jobs()] == [
        (first, "queued", 0),
        (second, "queued", 0),
    ]
    library.close()
    with service(tmp_path) as client:
        assert ended(client, first)["state"] == ended(client, second)["state"] == "done"
