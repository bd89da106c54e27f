"""One worker for a song, one record for a song, and what another version has written."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from htdemucs_n.catalogue.claims import Claims
from htdemucs_n.catalogue.ledger import Ledger, Record, name_of
from htdemucs_n.catalogue.status import read_status
from htdemucs_n.catalogue.store import Store
from htdemucs_n.errors import UserError

pytest.importorskip("fsspec")
from catalogue_helpers import song

PLACE = f"{name_of('b.wav', '')[:2]}/{name_of('b.wav', '')}"
DONE = Record("a.wav", "file:///a.wav", "1", "separated", seconds=2.0, finished=1.0)


def test_one_worker_has_a_song_until_it_gives_it_back(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    first, second = Claims(store), Claims(store)
    claim = first.take("ab")
    assert claim is not None
    assert second.take("ab") is None and first.take("ab") is None and not second.is_free("ab")
    other = second.take("abc")  # the beginning of a name is not the name
    assert other is not None
    first.release(claim)
    assert second.take("ab") is not None


def test_a_claim_expires_unless_it_is_renewed(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    dead = Claims(store, seconds=0.3)
    assert dead.take("a")
    dead.close()
    alive = Claims(store, seconds=0.3)
    assert alive.take("b")
    time.sleep(0.8)
    with ThreadPoolExecutor(8) as pool:
        taken = [claim for claim in pool.map(lambda _: Claims(store).take("a"), range(8)) if claim]
    assert len(taken) == 1  # all saw that it had expired, and one was first
    assert Claims(store).take("b") is None
    alive.close()


def test_a_song_is_entered_once(tmp_path: Path) -> None:
    ledger = Ledger(Store(str(tmp_path)))
    ledger.fail(replace(DONE, state="failed", error="why"))
    assert [record.error for record in ledger.failures()] == ["why"]
    assert not ledger.is_done(song("a.wav"))
    assert ledger.commit(DONE) and not ledger.commit(replace(DONE, seconds=3.0))
    assert ledger.is_done(song("a.wav")) and not ledger.is_done(song("a.wav", "2"))
    assert list(ledger.records()) == [DONE]


def test_joined_records_are_read_once(tmp_path: Path) -> None:
    ledger = Ledger(Store(str(tmp_path)))
    records = [replace(DONE, key=f"{number}.wav") for number in range(2050)]
    for record in records:
        assert ledger.commit(record)
    assert ledger.join() == 2000
    assert ledger.join() == 0
    assert len(list((tmp_path / "_catalogue" / "ledger").iterdir())) == 2
    assert sorted(ledger.records(), key=lambda record: int(record.key[:-4])) == records


def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    Ledger(Store(str(tmp_path))).begin()
    (tmp_path / "_catalogue" / "format.json").write_text(json.dumps({"version": 2}))
    with pytest.raises(UserError, match="install a newer htdemucs-n"):
        Ledger(Store(str(tmp_path)))


def test_a_failure_beside_a_success_does_not_count(tmp_path: Path) -> None:
    """Two workers had the song at once, and the one that failed wrote last."""
    ledger = Ledger(Store(str(tmp_path)))
    assert ledger.commit(DONE)
    ledger.fail(replace(DONE, state="failed", error="why"))
    assert list(ledger.records()) == [DONE]
    changed = replace(DONE, fingerprint="2", state="failed", error="another version")
    ledger.fail(changed)
    assert list(ledger.records()) == [DONE, changed]


def test_records_that_two_runs_have_copied_are_read_once(tmp_path: Path) -> None:
    ledger = Ledger(Store(str(tmp_path)))
    for number in range(1000):
        assert ledger.commit(replace(DONE, key=f"{number}.wav"))
    assert ledger.join() == 1000
    (part,) = (tmp_path / "_catalogue" / "ledger").iterdir()
    (part.parent / "part-other.jsonl").write_bytes(part.read_bytes())
    assert len(list(ledger.records())) == 1000
    ledger.begin()
    assert read_status(str(tmp_path)).seconds == 2000.0


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"version": "x", "songs": null}'])
@pytest.mark.parametrize("name", ["format.json", "songs.json", f"done/{PLACE}", "failed/ab/abc.json"])
def test_a_damaged_ledger_is_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    ledger = Ledger(Store(str(tmp_path)))
    ledger.begin()
    ledger.count(1)
    assert ledger.commit(DONE)
    damaged = tmp_path / "_catalogue" / name
    damaged.parent.mkdir(parents=True, exist_ok=True)
    damaged.write_bytes(content)
    with pytest.raises(UserError, match=f"'_catalogue/{name}' in '.*' is damaged: delete this file") as error:
        read_status(str(tmp_path))
    assert "\n" not in str(error.value)
    damaged.unlink()
    if name == "format.json":
        ledger.begin()
    assert read_status(str(tmp_path)).states == {"separated": 1}


def test_a_damaged_claim_has_expired(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    name = Claims(store).take("a")
    assert name is not None
    (tmp_path / name).write_bytes(b"")
    assert Claims(store).take("a") == name.replace(".0", ".1")
