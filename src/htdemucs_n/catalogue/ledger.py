"""The ledger of a catalogue: what became of each song.

    _catalogue/format.json                  the version of this form
    _catalogue/songs.json                   the number of songs that were found
    _catalogue/done/3f/3f2a....91e0.json    a song that was separated: created once, the commit of its stems
    _catalogue/failed/9c/9c41....json       a song that could not be, replaced by the next attempt
    _catalogue/ledger/part-....jsonl        copies of many records of `done`, for quick reading

A record of `done` is named after the song and its fingerprint, so a song that has changed has a new one, and the old
one goes before its stems are replaced.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from htdemucs_n.catalogue.songs import Song, digest_of
from htdemucs_n.catalogue.store import Store
from htdemucs_n.errors import UserError

VERSION = 1

_FORMAT, _COUNT = "_catalogue/format.json", "_catalogue/songs.json"
_DONE, _FAILED, _PARTS = "_catalogue/done", "_catalogue/failed", "_catalogue/ledger"

_ROWS = 1000
"""Records in a part."""


@dataclass(frozen=True)
class Record:
    """What became of a song.

    `state` is `separated`, `failed`, or `set aside` for a song that ended its worker twice. `sha256` is that of the
    song's file, and `stems` has that of each file below the song's key. `seconds` is its length, and `speed` the
    seconds of song for each second of work.
    """

    key: str
    url: str
    fingerprint: str
    state: str
    sha256: str = ""
    stems: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    speed: float = 0.0
    gain: float = 1.0
    model: str = ""
    version: str = ""
    engine: str = ""
    error: str = ""
    finished: float = 0.0
    """Seconds since 1970."""

    def to_json(self) -> bytes:
        """One line, without its end."""
        return json.dumps(asdict(self)).encode()


class Ledger:
    """The ledger in a store. Nothing is written before `begin`.

    Raises:
        UserError: it was written by a newer version, or is not there and `must_exist`.
    """

    def __init__(self, store: Store, must_exist: bool = False) -> None:
        self._store = store
        content = store.read(_FORMAT)
        if content is None and must_exist:
            raise UserError(f"'{store.url}' has no ledger of a catalogue: check the name of DEST")
        if content is not None and (version := self._number(_FORMAT, content, "version")) > VERSION:
            raise UserError(
                f"the ledger of '{store.url}' has the form {version}, and this version knows {VERSION}: "
                "install a newer htdemucs-n"
            )

    def begin(self) -> None:
        """Write the version where there is none: a worker that has started calls this before its first song."""
        self._store.create(_FORMAT, json.dumps({"version": VERSION}).encode())

    def commit(self, record: Record) -> bool:
        """Enter a song whose stems are all there; False where another worker was first."""
        if not self._store.create(_place(_DONE, record.key, record.fingerprint), record.to_json()):
            return False
        self._store.delete(_place(_FAILED, record.key))
        return True

    def forget_others(self, song: Song) -> None:
        """Take other versions of a song out, whose stems are about to be replaced."""
        mine = _place(_DONE, song.key, song.fingerprint)
        for name in self._store.names(posixpath.dirname(mine)):
            if posixpath.basename(name).startswith(f"{song.digest}.") and name != mine:
                self._store.delete(name)

    def fail(self, record: Record) -> None:
        """Enter a song that could not be separated, in place of its last failure."""
        self._store.write(_place(_FAILED, record.key), record.to_json())

    def is_done(self, song: Song) -> bool:
        """Whether this version of a song is in the ledger."""
        return self._store.read(_place(_DONE, song.key, song.fingerprint)) is not None

    def count(self, songs: int) -> None:
        """Note how many songs the catalogue has, which is known when all were found."""
        self._store.write(_COUNT, json.dumps({"songs": songs}).encode())

    def songs(self) -> int | None:
        """How many songs the catalogue had when they were last counted."""
        content = self._store.read(_COUNT)
        return None if content is None else self._number(_COUNT, content, "songs")

    def done(self) -> set[str]:
        """The names of all records of separated songs, which `name_of` gives."""
        return {name.rpartition("/")[2] for name in self._store.names(_DONE)}

    def records(self) -> Iterator[Record]:
        """All records, those of separated songs first."""
        unread = self.done()
        for record in self._joined():
            name = name_of(record.key, record.fingerprint)
            if name in unread:  # it is not in two parts, and was not taken out
                unread.remove(name)
                yield record
        for name in sorted(unread):
            place = f"{_DONE}/{name[:2]}/{name}"
            if (content := self._store.read(place)) is not None:
                yield self._parsed(place, content)
        yield from self.failures()

    def failures(self) -> Iterator[Record]:
        """The songs that could not be separated, without those that another worker separated at the same time."""
        for name in self._store.names(_FAILED):
            if (content := self._store.read(name)) is not None:
                record = self._parsed(name, content)
                if self._store.read(_place(_DONE, record.key, record.fingerprint)) is None:
                    yield record

    def join(self) -> int:
        """Copy records that are in no part yet to parts of a thousand; returns how many were copied."""
        known = {name_of(record.key, record.fingerprint) for record in self._joined()}
        new = [name for name in self._store.names(_DONE) if name.rpartition("/")[2] not in known]
        whole = len(new) // _ROWS * _ROWS
        for start in range(0, whole, _ROWS):
            lines = [content for name in new[start : start + _ROWS] if (content := self._store.read(name))]
            self._store.create(f"{_PARTS}/part-{uuid.uuid4().hex}.jsonl", b"\n".join(lines) + b"\n")
        return whole

    def _joined(self) -> Iterator[Record]:
        """The records in the parts, some of them in two."""
        for part in self._store.names(_PARTS):
            for line in (self._store.read(part) or b"").splitlines():
                yield self._parsed(part, line)

    def _parsed(self, name: str, line: bytes) -> Record:
        try:
            values: dict[str, Any] = json.loads(line)
            return Record(**{key: values[key] for key in Record.__dataclass_fields__ if key in values})
        except (ValueError, TypeError):
            raise self._damaged(name) from None

    def _number(self, name: str, content: bytes, key: str) -> int:
        try:
            return int(json.loads(content)[key])
        except (ValueError, TypeError, KeyError):
            raise self._damaged(name) from None

    def _damaged(self, name: str) -> UserError:
        return UserError(
            f"'{name}' in '{self._store.url}' is damaged: delete this file, and start the catalogue again, which does "
            "what is missing then"
        )


def name_of(key: str, fingerprint: str) -> str:
    """The name of the record of one version of a song."""
    version = hashlib.sha256(fingerprint.encode(errors="surrogateescape")).hexdigest()[:16]
    return f"{digest_of(key)}.{version}.json"


def _place(folder: str, key: str, fingerprint: str = "") -> str:
    name = name_of(key, fingerprint)
    return f"{folder}/{name[:2]}/{name}"
