"""One worker for a song, one record for a song, and what another version has written."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from htdemucs_n.catalogue.claims import Claims
from htdemucs_n.catalogue.ledger import Ledger, Record
from htdemucs_n.catalogue.store import Store
from htdemucs_n.errors import UserError

pytest.importorskip("fsspec")
from catalogue_helpers import song

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
