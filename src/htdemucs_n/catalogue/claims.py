"""Claims on songs, so that workers of one run or of several do not separate a song twice.

A claim is a file that must not exist when it is created, `_catalogue/claims/DIGEST.GENERATION`, with its owner and
the time at which it expires. A thread of the owner renews it. Who finds that it has expired creates the next
generation, which only one can.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
import threading
import time
import uuid
from dataclasses import dataclass, field

from htdemucs_n.catalogue.store import Store

FOLDER = "_catalogue/claims"


@dataclass
class Claims:
    """The claims of one worker, each held for `seconds` after it was last renewed."""

    store: Store
    seconds: float = 90.0
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    _held: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _renewing: threading.Thread | None = None
    _end: threading.Event = field(default_factory=threading.Event)

    def take(self, digest: str) -> str | None:
        """Claim a song: the name of the claim, for `release`; None while another worker has it."""
        latest = self._latest(digest)
        if latest is not None and not self._has_expired(latest):
            return None
        name = f"{FOLDER}/{digest}.{0 if latest is None else _generation(latest) + 1}"
        if not self.store.create(name, self._content()):
            return None
        with self._lock:
            self._held.add(name)
            if self._renewing is None:
                self._renewing = threading.Thread(target=self._renew, daemon=True)
                self._renewing.start()
        return name

    def is_free(self, digest: str) -> bool:
        """Whether a song can be claimed."""
        latest = self._latest(digest)
        return latest is None or self._has_expired(latest)

    def release(self, name: str) -> None:
        """Give a song back, with the generations before it."""
        with self._lock:
            self._held.discard(name)
        base = name.rpartition(".")[0]
        for number in range(_generation(name), -1, -1):
            self.store.delete(f"{base}.{number}")

    def close(self) -> None:
        """End the thread that renews."""
        self._end.set()

    def _latest(self, digest: str) -> str | None:
        generations = [name for name in self.store.names(FOLDER) if posixpath.basename(name).startswith(f"{digest}.")]
        return max(generations, key=_generation, default=None)

    def _has_expired(self, name: str) -> bool:
        content = self.store.read(name)
        if content is None:  # it was released just now: the next attempt finds out
            return False
        try:
            return float(json.loads(content)["expires"]) < time.time()
        except (ValueError, TypeError, KeyError):  # a disk that lost its power can leave an empty file
            return True

    def _content(self) -> bytes:
        return json.dumps({"owner": self.owner, "expires": time.time() + self.seconds}).encode()

    def _renew(self) -> None:
        while not self._end.wait(self.seconds / 3):
            with self._lock:
                for name in self._held:
                    with contextlib.suppress(Exception):  # the next turn tries again; the song's own writes tell
                        self.store.write(name, self._content())


def _generation(name: str) -> int:
    return int(name.rpartition(".")[2])
