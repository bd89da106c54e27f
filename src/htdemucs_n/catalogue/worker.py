"""One worker of a catalogue: claims a song, separates it, publishes its stems, and enters it in the ledger."""

from __future__ import annotations

import hashlib
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from htdemucs_n import __version__
from htdemucs_n.catalogue.claims import Claims
from htdemucs_n.catalogue.filesystem import is_local, open_filesystem
from htdemucs_n.catalogue.ledger import Ledger, Record
from htdemucs_n.catalogue.retry import first_line, is_of_storage, retried
from htdemucs_n.catalogue.songs import Song
from htdemucs_n.catalogue.store import FullError, Store
from htdemucs_n.errors import UserError
from htdemucs_n.separation.separator import Separator
from htdemucs_n.separation.stem_file import file_names
from htdemucs_n.separation.stems import StemChoice
from htdemucs_n.separation.track import Output, separate_track

_BLOCK = 1 << 20

_PREFIX = "htdemucs-n-"
_COPY = re.compile(rf"[^'\"]*{_PREFIX}[^/\\]*[/\\]song[^'\"]*")
"""The path of a copy in a message, which should name the song."""


Event = tuple[Song, Record | Literal["died"] | None]
"""A song, and its record; None where another worker has it; `died` where its worker ended without an answer."""


@dataclass(frozen=True)
class Work:
    """What every worker does, as values that another process can be given.

    `separator` are the arguments of `Separator`, `stems`, `two_stems` and `other_method` those of `StemChoice`.
    `claim_seconds` is how long a claim lasts without being renewed.
    """

    dest: str
    separator: dict[str, Any] = field(default_factory=dict)
    output: Output = field(default_factory=Output)
    stems: tuple[str, ...] | None = None
    two_stems: str | None = None
    other_method: str = "add"
    claim_seconds: float = 90.0


class Worker:
    """Does one song after the other, with one `Separator`. When `cancel` is set, the song in work is given back.

    Raises:
        UserError: an option of the separator does not fit, or the ledger is of a newer version.
    """

    def __init__(self, work: Work, cancel: threading.Event | None = None) -> None:
        self._cancel = cancel
        self._separator = Separator(**work.separator)
        stems = None if work.stems is None else list(work.stems)
        self._choice = StemChoice(self._separator.sources, stems, work.two_stems, work.other_method)
        self._output = work.output
        self._files = file_names(work.output.format, self._choice)
        self._store = Store(work.dest)
        self._ledger = Ledger(self._store)
        self._ledger.begin()
        self._claims = Claims(self._store, work.claim_seconds)
        model = work.separator.get("model")
        self._model = "+".join(model) if isinstance(model, list) else str(model)

    def do(self, song: Song) -> Record | None:
        """What became of a song; None where another worker has it.

        A song that is in the ledger already has the state `there before`.

        Raises:
            UserError: not the song but the ledger cannot be read or written, or there is no room for stems.
            Cancelled: `cancel` was set.
        """
        try:
            song = retried(song.with_fingerprint)
        except Exception as error:
            return self._failed(song, error)
        claim = self._claims.take(song.digest)
        if claim is None:
            return None
        try:
            if self._ledger.is_done(song):
                return self._record(song, "there before")
            return self._separated(song)
        except FullError:  # the songs that follow would be separated in vain
            raise
        except Exception as error:
            return self._failed(song, error)
        finally:
            self._claims.release(claim)

    def _separated(self, song: Song) -> Record:
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder, _here(song, Path(folder)) as (path, digest):
            names = {stem: f"{stem}.{self._output.format}" for stem in self._files}
            files = {stem: Path(folder) / name for stem, name in names.items()}
            outcome = separate_track(path, files, self._separator, self._choice, self._output, cancel=self._cancel)
            hashes = {names[stem]: _sha256(file) for stem, file in files.items()}
            self._ledger.forget_others(song)
            self._store.remove_parts(song.key)
            for stem, file in files.items():
                self._store.publish(file, f"{song.key}/{names[stem]}")
        record = replace(
            self._record(song, "separated"),
            sha256=digest,
            stems=hashes,
            seconds=outcome.seconds,
            speed=outcome.speed,
            gain=outcome.gain,
        )
        return record if self._ledger.commit(record) else replace(record, state="there before")

    def _failed(self, song: Song, error: Exception) -> Record:
        """The record of a failure. An error of another kind is a fault of this program."""
        if isinstance(error, MemoryError):
            reason = "it needs more memory than there is"
        elif isinstance(error, UserError):
            reason = _COPY.sub(song.key, first_line(error))
        elif isinstance(error, FileNotFoundError):
            reason = f"'{song.url}' is not there, or not any more"
        elif is_of_storage(error):
            reason = f"'{song.url}' cannot be read ({_COPY.sub(song.key, first_line(error))})"
        else:
            raise error
        record = replace(self._record(song, "failed"), error=reason)
        self._ledger.fail(record)
        return record

    def _record(self, song: Song, state: str) -> Record:
        engine = self._separator.engine
        return Record(
            song.key,
            song.url,
            song.fingerprint,
            state,
            model=self._model,
            version=__version__,
            engine=f"{engine.name} {engine.precision} on {engine.device}",
            finished=time.time(),
        )


@contextmanager
def _here(song: Song, folder: Path) -> Iterator[tuple[Path, str]]:
    """The file of a song on this computer, and its SHA-256: copied to `folder` where it is elsewhere."""
    filesystem, path = open_filesystem(song.url)
    if is_local(filesystem):
        yield Path(path), _sha256(Path(path))
        return
    copy = folder / f"song{Path(song.key).suffix}"

    def fetch() -> str:
        digest = hashlib.sha256()
        with filesystem.open(path, "rb") as source, copy.open("wb") as target:
            while block := source.read(_BLOCK):
                digest.update(block)
                target.write(block)
        return digest.hexdigest()

    digest = retried(fetch)
    try:
        yield copy, digest
    finally:
        copy.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
