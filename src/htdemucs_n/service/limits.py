"""Requests that are too large or too slow end early."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OVERHEAD = 65536
"""Bytes of a request around the song that it holds, and of one that holds none."""

_GRACE = 30.0
"""Seconds that every request has to arrive, whatever its size."""

_SLOWEST = 16384
"""Bytes a second at which a request has to arrive."""


class LimitedBody:
    """Ends requests that are too large with the status 413, and those that arrive too slowly with 408.

    A song may have `most` bytes. What is no form holds no song, and would be in memory as a whole.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._song = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        is_form = headers.get("content-type", "").lower().startswith("multipart/")
        most = _OVERHEAD + (self._song if is_form else 0)
        received, waited, complete = 0, 0.0, False

        async def limited() -> Message:
            nonlocal received, waited, complete
            if complete:  # what follows is only the end of the connection
                return await receive()
            if length.isdecimal() and int(length) > most:
                raise self._too_large(is_form)
            left = _GRACE + received / _SLOWEST - waited  # a request that is handled slowly is not a slow one
            start = time.monotonic()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, left))
            except TimeoutError:
                raise HTTPException(408, f"the request arrives too slowly: send {_SLOWEST // 1024} KiB/s") from None
            waited += time.monotonic() - start
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > most:
                raise self._too_large(is_form)
            return message

        await self._app(scope, limited, send)

    def _too_large(self, is_form: bool) -> HTTPException:
        if is_form:
            return HTTPException(413, f"the file is too large: it may have {self._song / 2**20:.0f} MiB")
        return HTTPException(413, f"the request is too large: it may have {_OVERHEAD // 1024} KiB")
