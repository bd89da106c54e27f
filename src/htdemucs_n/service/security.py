"""Who may ask the service, and what browsers may do with its answers.

A page of another site must not reach a service on the user's computer. Browsers name the site in the headers `Origin`
and `Sec-Fetch-Site`, and in `Host` the name that they resolved, which an attacker's DNS may point to 127.0.0.1 (DNS
rebinding). So a host has to be an address, `localhost` or a name that was allowed, and an origin has to be that host.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from htdemucs_n.service.login import has_session
from htdemucs_n.service.metrics import Metrics
from htdemucs_n.service.settings import Settings

OPEN = ("/health", "/ready", "/")
"""What may be asked without a token, besides the files of the page, which are the same everywhere."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer, unless it has its own."""


@dataclass(frozen=True)
class _Refusal:
    status: int
    reason: str
    says: str


class Guard:
    """Refuses requests of other sites, and those without the token; gives all answers the headers `HEADERS`."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._token = settings.token
        self._names = {"localhost", settings.host.lower(), *(name.lower() for name in settings.hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope["path"], Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send_guarded)
            return
        self._metrics.refused.labels(refusal.reason).inc()
        more = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
        await JSONResponse({"detail": refusal.says}, refusal.status, more)(scope, receive, send_guarded)

    def _refusal(self, path: str, headers: Headers) -> _Refusal | None:
        host = headers.get("host", "")
        if not self._is_known(host):
            return _Refusal(421, "host", "this host name is not known here: allow it with --allow-host")
        origin = headers.get("origin")
        if origin is not None and not _is_of(origin, host):
            return _Refusal(403, "origin", "requests of other sites are refused")
        if headers.get("sec-fetch-site") == "cross-site":
            return _Refusal(403, "origin", "requests of other sites are refused")
        if path not in OPEN and not path.startswith("/page/") and not self._is_authorised(headers):
            return _Refusal(401, "token", "this needs the token of the service, in the header Authorization: Bearer")
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _is_authorised(self, headers: Headers) -> bool:
        if self._token is None:
            return True
        kind, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "replace")
        if kind.lower() == "bearer" and hmac.compare_digest(given, self._token.encode()):
            return True
        return has_session(headers.get("cookie", ""), self._token)


def _is_of(origin: str, host: str) -> bool:
    """Whether an origin is that of the host; one that cannot be read is of none."""
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
