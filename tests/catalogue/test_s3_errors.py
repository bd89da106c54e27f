"""An S3 server that fails: what passes leaves no trace, and what does not is one clear record or one clear line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from audio_helpers import SplitEngine, use_engine
from htdemucs_n.catalogue import retry
from htdemucs_n.catalogue.ledger import Ledger
from htdemucs_n.catalogue.run import run_catalogue
from htdemucs_n.catalogue.songs import Song, find_songs
from htdemucs_n.catalogue.status import read_status, verify
from htdemucs_n.catalogue.store import Store
from htdemucs_n.catalogue.worker import Event, Work, Worker
from htdemucs_n.errors import UserError

pytest.importorskip("fsspec")
pytest.importorskip("s3fs")
pytest.importorskip("moto.server")
from catalogue_helpers import Fault, make_songs, s3, s3_server  # noqa: F401

SLOW_DOWN = {"status": "503 Slow Down", "code": "SlowDown"}
DENIED = {"status": "403 Forbidden", "code": "AccessDenied"}


class Here:
    """One worker in this process."""

    def __init__(self, dest: str) -> None:
        self.worker = Worker(Work(dest))

    def run(self, songs: Iterator[Song]) -> Iterator[Event]:
        for song in songs:
            yield song, self.worker.do(song)


@pytest.fixture
def places(s3: list[Fault], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:  # noqa: F811
    """SOURCE with three songs, and DEST. Nothing but the catalogue itself tries again, and it does not wait long."""
    import s3fs

    use_engine(monkeypatch, SplitEngine())
    monkeypatch.setattr(retry, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    make_songs(tmp_path / "in", 3)
    files = s3fs.S3FileSystem()
    files.put(f"{tmp_path / 'in'}/", f"bucket/{tmp_path.name}/songs/", recursive=True)
    return f"s3://bucket/{tmp_path.name}/songs", f"s3://bucket/{tmp_path.name}/stems"


def run(places: tuple[str, str]) -> dict[str, int]:
    return dict(run_catalogue(*places, Here(places[1])))


def errors_of(dest: str) -> dict[str, str]:
    return {record.key: record.error for record in Ledger(Store(dest)).failures()}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT .*/stems/", times=4),
        Fault("PUT .*/stems/", times=4, **SLOW_DOWN),
        Fault("(PUT|GET) .*/stems/", times=20, code="", seconds=0.05),
        Fault("GET [^?]*/songs/album", times=4),
        Fault("GET [^?]*/songs/album", times=4, **SLOW_DOWN),
        Fault("GET [^?]*/songs/album", times=2, cut=True),
        Fault(r"GET /bucket/?\?.*stems", times=3, **SLOW_DOWN),
    ],
    ids=["500 on writing", "throttled writing", "slow", "500 on reading", "throttled reading", "cut", "listing"],
)
def test_what_passes_leaves_no_trace(
    fault: Fault,
    places: tuple[str, str],
    s3: list[Fault],  # noqa: F811
    tmp_path: Path,
) -> None:
    s3.append(fault)
    assert run(places) == {"separated": 3}
    assert fault.seen == fault.times
    s3.clear()
    assert list(verify(places[1])) == []
    assert not [name for name in Store(places[1]).names("_catalogue") if "/tmp/" in name or "/claims/" in name]
    run((str(tmp_path / "in"), str(tmp_path / "out")))  # on the disk
    stems = list((tmp_path / "out").rglob("*.wav/*.wav"))
    assert len(stems) == 12
    for path in stems:
        assert Store(places[1]).read(path.relative_to(tmp_path / "out").as_posix()) == path.read_bytes()


@pytest.mark.parametrize(
    ("fault", "line", "requests"),
    [
        (
            Fault(r"GET [^?]*/songs/album0/song1\.wav"),
            "song1.wav' cannot be read ([Errno 121] InternalError of the test)",
            6,
        ),
        (
            Fault(r"GET [^?]*/songs/album0/song1\.wav", **SLOW_DOWN),
            "song1.wav' cannot be read ([Errno 16] SlowDown of the test)",
            6,
        ),
        (
            Fault(r"GET [^?]*/songs/album0/song1\.wav", **DENIED),
            "song1.wav' cannot be read (AccessDenied of the test)",
            1,
        ),
        (
            Fault(r"PUT .*/stems/album0/song1\.wav"),
            "stems' cannot be read or written ([Errno 121] InternalError of the test)",
            6,
        ),
        (Fault(r"PUT .*/stems/album0/song1\.wav", **DENIED), "stems' cannot be read or written (AccessDenied", 1),
    ],
    ids=["500 on reading", "throttled reading", "denied reading", "500 on writing", "denied writing"],
)
def test_what_stays_is_one_record(
    fault: Fault,
    line: str,
    requests: int,
    places: tuple[str, str],
    s3: list[Fault],  # noqa: F811
) -> None:
    s3.append(fault)
    assert run(places) == {"separated": 2, "failed": 1}
    (error,) = errors_of(places[1]).values()
    assert line in error and "\n" not in error
    assert fault.seen == requests
    assert [count for _, count in read_status(places[1]).causes.items()] == [1]
    s3.clear()
    assert run(places) == {"there before": 2, "separated": 1}
    assert errors_of(places[1]) == {} and list(verify(places[1])) == []


def test_an_object_that_vanishes_after_the_listing(places: tuple[str, str]) -> None:
    import s3fs

    source, dest = places
    songs = list(find_songs(source, dest))
    s3fs.S3FileSystem().rm(songs[0].url)
    record = Worker(Work(dest)).do(songs[0])
    assert record is not None and record.state == "failed"
    assert record.error == f"'{songs[0].url}' is not there, or not any more"


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        (Fault("PUT .*/stems/", **DENIED), 1),
        (Fault("PUT .*/stems/"), 1),
        (Fault(r"GET /bucket/?\?.*songs", **DENIED), 0),
        (Fault("PUT .*/stems/_catalogue/claims", **DENIED), 1),
    ],
    ids=["no write", "no server", "no listing", "no claims"],
)
def test_a_place_that_cannot_be_used_is_one_line(
    fault: Fault,
    place: int,
    places: tuple[str, str],
    s3: list[Fault],  # noqa: F811
) -> None:
    s3.append(fault)
    with pytest.raises(UserError, match=f"'{places[place]}' cannot be read") as error:
        run(places)
    assert "of the test" in str(error.value) and "\n" not in str(error.value)


def test_a_bucket_that_is_not_there_is_one_line(places: tuple[str, str]) -> None:
    with pytest.raises(UserError, match="'s3://nowhere/stems' cannot be read or written") as error:
        run((places[0], "s3://nowhere/stems"))
    assert "\n" not in str(error.value)


def test_a_song_takes_as_many_requests_as_the_page_says(places: tuple[str, str], s3: list[Fault]) -> None:  # noqa: F811
    writes, others = Fault("PUT", code=""), Fault("", code="")
    s3 += [writes, others]
    assert run(places) == {"separated": 3}
    assert writes.seen <= 3 * 10 + 2  # the version and the number of songs are written once
    assert writes.seen + others.seen <= 3 * 29 + 20
    page = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
    assert "about 29, of which 10 write" in page
