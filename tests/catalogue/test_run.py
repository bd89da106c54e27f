"""A run: what is missing is done, a song that ends its workers is set aside, and what another run has is waited for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from htdemucs_n.catalogue import run as run_module
from htdemucs_n.catalogue.claims import Claims
from htdemucs_n.catalogue.ledger import Ledger, Record
from htdemucs_n.catalogue.run import run_catalogue
from htdemucs_n.catalogue.songs import Song
from htdemucs_n.catalogue.status import read_status, verify
from htdemucs_n.catalogue.store import Store
from htdemucs_n.catalogue.worker import Event, Work, Worker

pytest.importorskip("fsspec")
from audio_helpers import SplitEngine, use_engine
from catalogue_helpers import make_songs


class Stub:
    """Workers in this process: `deaths` says how often a song ends its worker, `bad` which songs fail."""

    def __init__(self, dest: Path, deaths: dict[str, int] | None = None, bad: tuple[str, ...] = ()) -> None:
        self.ledger, self.claims = Ledger(Store(str(dest))), Claims(Store(str(dest)))
        self.ledger.begin()
        self.deaths, self.bad = dict(deaths or {}), bad
        self.done: list[str] = []

    def run(self, songs: Iterator[Song]) -> Iterator[Event]:
        for song in songs:
            if self.deaths.get(song.key, 0):
                self.deaths[song.key] -= 1
                yield song, "died"
                continue
            claim = self.claims.take(song.digest)
            if claim is None:
                yield song, None
                continue
            state = "failed" if song.key in self.bad else "separated"
            record = Record(song.key, song.url, song.fingerprint, state, seconds=1.0, error="bad" * (state == "failed"))
            if state == "failed":
                self.ledger.fail(record)
            else:
                self.done.append(song.key)
                assert self.ledger.commit(record)
            self.claims.release(claim)
            yield song, record


@pytest.fixture
def source(tmp_path: Path) -> Path:
    make_songs(tmp_path / "in", 4, 0.01)
    return tmp_path / "in"


def test_a_second_run_does_what_failed_or_changed(source: Path, tmp_path: Path) -> None:
    dest = tmp_path / "out"
    first = Stub(dest, bad=("album0/song1.wav",))
    assert run_catalogue(str(source), str(dest), first) == {"separated": 3, "failed": 1}
    (source / "album1" / "song2.wav").write_bytes(b"changed")
    second = Stub(dest)
    assert run_catalogue(str(source), str(dest), second) == {"separated": 2, "there before": 2}
    assert second.done == ["album0/song1.wav", "album1/song2.wav"]
    status = read_status(str(dest))
    assert (status.songs, status.states, status.causes) == (4, {"separated": 4}, {})


def test_a_song_that_ends_two_workers_is_set_aside(source: Path, tmp_path: Path) -> None:
    dest = tmp_path / "out"
    workers = Stub(dest, deaths={"album0/song0.wav": 1, "album0/song1.wav": 5})
    assert run_catalogue(str(source), str(dest), workers) == {"separated": 3, "set aside": 1}
    assert workers.deaths["album0/song1.wav"] == 3
    assert run_catalogue(str(source), str(dest), Stub(dest)) == {"there before": 3, "set aside": 1}
    (source / "album0" / "song1.wav").write_bytes(b"changed")
    assert run_catalogue(str(source), str(dest), Stub(dest)) == {"there before": 3, "separated": 1}


def test_songs_of_another_run_are_waited_for(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dest = tmp_path / "out"
    monkeypatch.setattr(run_module, "_LOOK_AGAIN", 0.2)
    dead = Claims(Store(str(dest)), seconds=0.6)  # of a run that was killed
    workers = Stub(dest)
    names = [f"album{number // 2}/song{number}.wav" for number in range(4)]
    digests = {name: Song(name, "", "").digest for name in names}
    assert dead.take(digests[names[1]])
    dead.close()
    assert run_catalogue(str(source), str(dest), workers) == {"separated": 4}
    assert workers.done == [names[0], names[2], names[3], names[1]]


def test_a_song_that_changes_and_changes_back_has_its_own_stems_each_time(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tag of an object store, and the time of a file that is copied with it, are those of before then."""
    use_engine(monkeypatch, SplitEngine())
    dest = tmp_path / "out"
    path = source / "album0" / "song0.wav"
    before, times = path.read_bytes(), path.stat()

    def run() -> tuple[dict[str, int], bytes]:
        class Here:
            def run(self, songs: Iterator[Song]) -> Iterator[Event]:
                worker = Worker(Work(str(dest)))
                for song in songs:
                    yield song, worker.do(song)

        states = dict(run_catalogue(str(path.parent), str(dest), Here()))
        (record,) = (record for record in Ledger(Store(str(dest))).records() if record.key == path.name)
        assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert list(verify(str(dest))) == []
        return states, (dest / path.name / "drums.wav").read_bytes()

    states, first = run()
    assert states == {"separated": 2}
    path.write_bytes((source / "album1" / "song2.wav").read_bytes())
    states, second = run()
    assert states == {"separated": 1, "there before": 1} and second != first
    path.write_bytes(before)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert run() == ({"separated": 1, "there before": 1}, first)


def test_a_song_that_needs_too_much_memory_fails_alone(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(path: Path, *_: object, **__: object) -> None:
        raise MemoryError

    use_engine(monkeypatch, SplitEngine())
    worker = Worker(Work(str(tmp_path / "out")))
    song = Song("a.wav", f"file://{source / 'album0' / 'song0.wav'}", "1")
    with monkeypatch.context() as patch:
        patch.setattr("htdemucs_n.catalogue.worker.separate_track", no_memory)
        record = worker.do(song)
    assert record is not None and (record.state, record.error) == ("failed", "it needs more memory than there is")
    again = worker.do(song)
    assert again is not None and again.state == "separated"
