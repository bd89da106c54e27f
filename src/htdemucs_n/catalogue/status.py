"""How far a catalogue is, and whether all that its ledger names is there."""

from __future__ import annotations

import posixpath
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from htdemucs_n.catalogue.ledger import Ledger, Record
from htdemucs_n.catalogue.store import Store

_RECENT = 600.0
"""Seconds before now whose songs give the present speed."""


@dataclass
class Status:
    """Of a catalogue: songs in all, where they were counted; by state; the causes of failures; and the speed.

    `songs_an_hour` and `audio_seconds` (for each second of time) are those of the last ten minutes.
    """

    songs: int | None
    states: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    songs_an_hour: float = 0.0
    audio_seconds: float = 0.0

    @property
    def hours_left(self) -> float | None:
        """None where the number of songs or the speed is not known."""
        if self.songs is None or not self.songs_an_hour:
            return None
        return max(0, self.songs - sum(self.states.values())) / self.songs_an_hour


def read_status(dest: str) -> Status:
    """The status of the catalogue in `dest`.

    Raises:
        UserError: there is no ledger, it is of a newer version, or `dest` cannot be read.
    """
    ledger = Ledger(Store(dest), must_exist=True)
    status = Status(ledger.songs())
    states: dict[str, str] = {}
    now, recent, recent_seconds, first = time.time(), 0, 0.0, float("inf")
    for record in ledger.records():
        states[record.key] = record.state
        if record.state == "separated":
            status.seconds += record.seconds
            if record.finished > now - _RECENT:
                recent, recent_seconds = recent + 1, recent_seconds + record.seconds
                first = min(first, record.finished)
        else:
            status.causes[_cause(record)] += 1
    status.states.update(states.values())
    if recent > 1:
        span = max(now - first, 1.0)
        status.songs_an_hour, status.audio_seconds = 3600 * recent / span, recent_seconds / span
    return status


def _cause(record: Record) -> str:
    """Why a song failed, without its name, so that songs with one cause are counted together."""
    for name in (record.url, record.url.removeprefix("file://"), record.key, posixpath.basename(record.key)):
        if f"'{name}'" in record.error:
            return record.error.replace(f"'{name}'", "the song")
    return record.error


def verify(dest: str) -> Iterator[tuple[Record, str]]:
    """Read all stems that the ledger of `dest` names; yields each song whose stems are not right, and why.

    Raises:
        UserError: there is no ledger, it is of a newer version, or `dest` cannot be read.
    """
    store = Store(dest)
    newest: dict[str, Record] = {}
    for record in Ledger(store, must_exist=True).records():
        if record.state == "separated" and (record.key not in newest or newest[record.key].finished < record.finished):
            newest[record.key] = record  # of a song that has changed, the last version
    for record in newest.values():
        for name, digest in record.stems.items():
            found = store.sha256(f"{record.key}/{name}")
            if found != digest:
                yield record, f"{name} is missing" if found is None else f"{name} is not what was written"
