"""A store on a disk and on S3: one creator, whole files, names."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from htdemucs_n.catalogue.store import TEMPORARY, Store
from htdemucs_n.errors import UserError

pytest.importorskip("fsspec")
pytest.importorskip("s3fs")
pytest.importorskip("moto.server")
from catalogue_helpers import Fault, s3, s3_server  # noqa: F401


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "disk":
        return Store(str(tmp_path / "store"))
    request.getfixturevalue("s3")
    return Store(f"s3://bucket/{tmp_path.name}")


def test_one_of_many_creates_a_file(store: Store) -> None:
    def create(number: int) -> bool:
        return store.create("a/b.json", b"%d" % number)

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(create, range(16)))
    assert sum(created) == 1
    assert store.read("a/b.json") == b"%d" % created.index(True)


def test_files_are_written_read_named_and_deleted(store: Store) -> None:
    assert store.read("a/x") is None
    assert list(store.names("a")) == []
    store.write("a/x", b"one")
    store.write("a/x", b"two")
    store.write("a/b/y", b"")
    assert store.read("a/x") == b"two"
    assert list(store.names("a")) == ["a/b/y", "a/x"]
    store.delete("a/x")
    store.delete("a/x")
    assert list(store.names("a")) == ["a/b/y"]


def test_a_published_file_leaves_nothing_else(store: Store, tmp_path: Path) -> None:
    (tmp_path / "stem.wav").write_bytes(b"sound")
    store.publish(tmp_path / "stem.wav", "song.mp3/vocals.wav")
    assert store.read("song.mp3/vocals.wav") == b"sound"
    assert list(store.names("_catalogue")) == []


def test_what_killed_writers_left_is_deleted(tmp_path: Path, s3: list[Fault], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    disk, bucket = Store(str(tmp_path)), Store(f"s3://bucket/{tmp_path.name}")
    for store in (disk, bucket):
        store.write("song.mp3/vocals.wav", b"sound")
        store.write("song.mp3/.0123456789ab.part", b"so")
        store.write(f"{TEMPORARY}/0123", b"so")
        store.remove_parts("song.mp3")
        store.remove_old_temporaries()
    assert [path.name for path in (tmp_path / "song.mp3").iterdir()] == ["vocals.wav"]
    assert list(bucket.names(TEMPORARY)) == [f"{TEMPORARY}/0123"], "it may have a writer"
    monkeypatch.setattr("htdemucs_n.catalogue.store._LONGEST_WRITE", timedelta(seconds=-5))
    bucket.remove_old_temporaries()
    assert list(bucket.names(TEMPORARY)) == []
    assert bucket.read("song.mp3/vocals.wav") == b"sound"


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("gs://bucket/x", "needs a package that is not installed .*gcsfs"),
        ("az://bucket/x", "needs a package that is not installed .*adlfs"),
        ("nonsense://x", "no URL that fsspec knows"),
    ],
)
def test_what_cannot_be_opened_is_named(url: str, line: str) -> None:
    with pytest.raises(UserError, match=line):
        Store(url)
