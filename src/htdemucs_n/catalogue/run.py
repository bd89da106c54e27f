"""A run over a catalogue: what is missing in the ledger goes to the workers, and what a dead worker had to another."""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Protocol

from htdemucs_n.catalogue.claims import Claims
from htdemucs_n.catalogue.ledger import Ledger, Record, name_of
from htdemucs_n.catalogue.songs import Song, find_songs
from htdemucs_n.catalogue.store import Store
from htdemucs_n.catalogue.worker import Event

_MOST_DEATHS = 2
"""Workers that may die over a song before it is set aside."""

_LOOK_AGAIN = 5.0
"""Seconds between two looks at the songs that another run has claimed."""


class Workers(Protocol):
    """Workers of this computer or of a cluster."""

    def run(self, songs: Iterator[Song]) -> Iterator[Event]:
        """The events of all `songs`, as they come; songs are taken one at a time, when a worker is free."""
        ...


def run_catalogue(
    source: str, dest: str, workers: Workers, report: Callable[[Record], None] = lambda record: None
) -> Counter[str]:
    """Separate all songs of `source` that the ledger of `dest` lacks; how many songs have each state at the end.

    `report` is called with the record of each song that was tried.

    Raises:
        UserError: what `find_songs`, `Ledger` and the workers raise.
    """
    songs = _that_exist(find_songs(source, dest))
    store = Store(dest)
    ledger, claims = Ledger(store), Claims(store)
    done = ledger.done()
    aside = {record.key: record.fingerprint for record in ledger.failures() if record.state == "set aside"}
    states: Counter[str] = Counter()
    again: deque[Song] = deque()
    elsewhere: deque[Song] = deque()
    deaths: Counter[str] = Counter()

    def feed() -> Iterator[Song]:
        count = 0
        for song in songs:
            count += 1
            while again:  # what a dead worker had comes first
                yield again.popleft()
            if song.fingerprint and name_of(song.key, song.fingerprint) in done:
                states["there before"] += 1
            elif song.fingerprint and aside.get(song.key) == song.fingerprint:
                states["set aside"] += 1
            else:
                yield song
        ledger.count(count)

    def follow(songs: Iterator[Song]) -> None:
        for song, outcome in workers.run(songs):
            if outcome is None:
                elsewhere.append(song)
            elif isinstance(outcome, Record):
                states[outcome.state] += 1
                if outcome.state != "there before":
                    report(outcome)
            else:
                deaths[song.key] += 1
                if deaths[song.key] < _MOST_DEATHS:
                    again.append(song)
                else:
                    record = _set_aside(song)
                    ledger.fail(record)
                    states[record.state] += 1
                    report(record)

    follow(feed())
    while again or elsewhere:
        follow(iter(_drained(again)))
        for song in _drained(elsewhere):
            if song.fingerprint and ledger.is_done(song):
                states["there before"] += 1
            elif claims.is_free(song.digest):
                again.append(song)
            else:
                elsewhere.append(song)
        if elsewhere and not again:
            time.sleep(_LOOK_AGAIN)
    ledger.join()
    store.remove_old_temporaries()
    return states


def _that_exist(songs: Iterator[Song]) -> Iterator[Song]:
    """The same songs: the first is found at once, so that a wrong SOURCE is told before anything is written."""
    return itertools.chain([next(songs)], songs)


def _drained(songs: deque[Song]) -> list[Song]:
    drained = list(songs)
    songs.clear()
    return drained


def _set_aside(song: Song) -> Record:
    error = f"it ended its worker {_MOST_DEATHS} times (too little memory, or a fault): it waits until it changes"
    return Record(song.key, song.url, song.fingerprint, "set aside", error=error, finished=time.time())
