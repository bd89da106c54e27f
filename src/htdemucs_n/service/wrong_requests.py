"""What is said of a request that cannot be used: plain sentences with the mend, in place of the framework's own."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SCHEMA = "/openapi.json"

_NOT_WHOLE, _NOT_NUMBER = "is not a whole number: give one", "is not a number: give one"
_NOT_BOOL, _NOT_OBJECT = "is neither true nor false: give one of them", "is not an object: give one"
_MENDS = {
    "missing": "is missing: give it",
    "extra_forbidden": f"is not known here: leave it out, or see {SCHEMA} for what there is",
    "int_type": _NOT_WHOLE, "int_parsing": _NOT_WHOLE, "int_from_float": _NOT_WHOLE, "int_parsing_size": _NOT_WHOLE,
    "float_type": _NOT_NUMBER, "float_parsing": _NOT_NUMBER, "finite_number": _NOT_NUMBER,
    "bool_type": _NOT_BOOL, "bool_parsing": _NOT_BOOL,
    "dict_type": _NOT_OBJECT, "model_type": _NOT_OBJECT, "model_attributes_type": _NOT_OBJECT,
    "string_type": "is not a text: give one",
    "list_type": "is not a list: give one",
    "greater_than_equal": "is too small: give {ge:g} or more",
    "greater_than": "is too small: give more than {gt:g}",
    "less_than_equal": "is too large: give {le:g} or less",
    "string_too_short": "is empty: give at least one character",
    "string_too_long": "is too long: give {max_length} characters or fewer",
    "too_short": "is empty: give at least one",
}  # fmt: skip
"""By the kinds of errors of pydantic (https://docs.pydantic.dev/latest/errors/validation_errors)."""

_NO_FILE = "there is no song in the field 'file': send it as multipart form data, as in `curl -F file=@song.mp3`"
_NO_OBJECT = "the body is not a JSON object: send one, with the header Content-Type: application/json"


def wrong_field(error: dict[str, Any]) -> str:
    """The sentence about one error of pydantic's `errors()`."""
    place, kind = [str(part) for part in error["loc"][1:]], error["type"]
    if kind == "json_invalid":
        return f"the body is not JSON: correct it at character {place[0]}"
    if not place:
        return _NO_OBJECT
    if place == ["file"]:
        return _NO_FILE
    if kind not in _MENDS:
        return f"'{'.'.join(place)}' cannot be used: {error['msg']}"
    return f"'{'.'.join(place)}' {_MENDS[kind].format(**error.get('ctx', {}))}"


def wrong_request(error: HTTPException, method: str) -> str:
    """The sentence about an error that the framework found, or that a limit of the service has stated already."""
    if error.status_code == 404:
        return f"there is nothing at this address: {SCHEMA} lists the requests that are answered"
    if error.status_code == 405:
        return f"{method} is not answered at this address: {SCHEMA} lists the requests that are"
    if error.status_code == 400:
        return f"the body cannot be read ({error.detail.rstrip('.')}): send it as {SCHEMA} describes"
    return error.detail


_OF_RANGES = {
    400: "the header Range cannot be read: ask for bytes, as in `Range: bytes=0-999`, or leave it out",
    416: "the range is not in the file: ask for one within the size that Content-Range states",
}


class ExplainedRanges:
    """Answers to a wrong `Range` as JSON with a sentence; the framework sends them as they are, past all handlers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        explained = False

        async def send_explained(message: Message) -> None:
            nonlocal explained
            if message["type"] == "http.response.start" and message["status"] in _OF_RANGES:
                headers = Headers(raw=message["headers"])
                if headers["content-type"].startswith("text/plain"):
                    explained = True
                    kept = {name: headers[name] for name in ("content-range",) if name in headers}
                    answer = JSONResponse({"detail": _OF_RANGES[message["status"]]}, message["status"], kept)
                    await answer(scope, receive, send)
            if not explained:
                await send(message)

        await self._app(scope, receive, send_explained)
