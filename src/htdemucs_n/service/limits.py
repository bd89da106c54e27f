"""Requests that are too large or too slow end early."""

from __future__ import annotations

import asyncio
import time

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OVERHEAD = 65536
"""Bytes of a request around the file that it holds."""

_GRACE = 30.0
"""Seconds that every request has to arrive, whatever its size."""

_SLOWEST = 16384
"""Bytes a second at which a request has to arrive."""


class LimitedBody:
    """Ends requests of more than `most` bytes with the status 413, and those that arrive too slowly with 408."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most + _OVERHEAD

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        received, waited, complete = 0, 0.0, False

        async def limited() -> Message:
            nonlocal received, waited, complete
            if complete:  # what follows is only the end of the connection
                return await receive()
            if length.isdigit() and int(length) > self._most:
                raise self._too_large()
            left = _GRACE + received / _SLOWEST - waited  # a request that is handled slowly is not a slow one
            start = time.monotonic()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, left))
            except TimeoutError:
                raise HTTPException(408, "the request arrives too slowly") from None
            waited += time.monotonic() - start
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > self._most:
                raise self._too_large()
            return message

        await self._app(scope, limited, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the file is too large: it may have {self._most / 2**20:.0f} MiB")
