"""The page of the studio: plain files, served as they are."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, Response

FOLDER = Path(__file__).parent / "page"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A browser takes scripts, styles and sound from this service, and from nowhere else."""

_KINDS = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {path.name: path for path in FOLDER.iterdir() if path.suffix in _KINDS}
"""All that can be asked for, by name."""


def page_router() -> APIRouter:
    """The routes of the page."""
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/", _index, methods=["GET"])
    router.add_api_route("/page/{name}", _file, methods=["GET"])
    return router


def _index() -> Response:
    return _file("index.html")


def _file(name: str) -> Response:
    if name not in _FILES:
        raise HTTPException(404)
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
    return FileResponse(_FILES[name], media_type=_KINDS[_FILES[name].suffix], headers=headers)
