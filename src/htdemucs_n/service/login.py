"""The token of the service for a browser: given once, and then kept as a cookie that no script can read.

A browser cannot add a header to the address of a download or of a stream of events, but it sends cookies with both.
The cookie is of this site alone (`SameSite=Strict`), ends with the browser's session, and does not contain the token.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie

from fastapi import APIRouter, Response

from htdemucs_n.service.settings import Settings

_COOKIE = "htdemucs_n_session"


class Login:
    """The route that a page asks with the token, and is given the cookie."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def add_to(self, router: APIRouter) -> None:
        """Add the route to those of the API."""
        router.add_api_route("/session", self.begin, methods=["POST"], status_code=204)

    def begin(self, response: Response) -> None:
        """Let a browser keep the token, which this request needs as every other, as a cookie."""
        if self._settings.token is not None:
            secure = self._settings.certificate is not None
            response.set_cookie(
                _COOKIE, session_of(self._settings.token), httponly=True, samesite="strict", secure=secure
            )


def session_of(token: str) -> str:
    """What the cookie holds: it follows from the token, and the token does not follow from it."""
    return hmac.new(token.encode(), b"htdemucs-n session", hashlib.sha256).hexdigest()


def has_session(cookies: str, token: str) -> bool:
    """Whether the header `Cookie` has the cookie of a token."""
    try:
        found = SimpleCookie(cookies).get(_COOKIE)
    except CookieError:
        return False
    return found is not None and hmac.compare_digest(found.value.encode("utf-8", "replace"), session_of(token).encode())
