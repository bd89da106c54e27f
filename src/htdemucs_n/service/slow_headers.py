"""Connections whose headers arrive too slowly are closed: uvicorn itself waits as long as the client likes.

Where there are as many connections as there may be, the one that waits for its headers for the longest makes room, so
that silent connections keep nobody out.
"""

from __future__ import annotations

import asyncio
from operator import itemgetter

from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 20.0
"""From the connection, or the first byte of a later request on it, to the end of the headers."""


class ImpatientProtocol(H11Protocol):
    """The protocol of uvicorn, with a limit of time for the headers of every request, less where others need room."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Handle what arrived: the headers are complete when there is a request that is not yet answered."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _make_room(self) -> None:
        """Close the connection that has waited for the longest, if any but this one waits."""
        waiting = [
            (other._waiting.when(), other)
            for other in self.connections
            if isinstance(other, ImpatientProtocol) and other._waiting is not None and other is not self
        ]
        if waiting:
            _, longest = min(waiting, key=itemgetter(0))
            longest._stop_waiting()  # so that it is not chosen again before it is gone
            longest.transport.abort()

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
