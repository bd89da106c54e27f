"""A server of the page that separates songs in the browser (`web/`): its files, on this computer alone.

Standard library only: the page needs no program behind it. Its headers isolate it from other pages, which the threads
of the separation need.
"""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from htdemucs_n.errors import OptionError, OutputError

HOST = "127.0.0.1"

_HEADERS = "headers.json"
"""In the folder of the page: the headers that its service worker gives too."""

_BUILD = "build it with `npm ci && npm run build` in the folder web of the source code, and name its folder dist"


def page_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of the page in `folder`, on `port` or, for 0, on a free one.

    Raises:
        OptionError: there is no page in the folder.
        OutputError: the port cannot be used.
    """
    try:
        headers = json.loads((folder / _HEADERS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise OptionError(f"there is no page in '{folder}': {_BUILD}") from None
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder), headers=headers))
    except OSError as error:
        raise OutputError(f"port {port} cannot be used ({error.strerror}): choose another with --port") from error


class _Handler(SimpleHTTPRequestHandler):
    """Gives the files of a folder to browsers that asked this computer by its own name."""

    extensions_map = {  # noqa: RUF012 - not changed; the system's own table may be wrong
        **SimpleHTTPRequestHandler.extensions_map,
        ".css": "text/css",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript",
        ".md": "text/plain; charset=utf-8",
        ".mjs": "text/javascript",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
        "": "application/octet-stream",
    }

    def __init__(self, *args: object, headers: dict[str, str], **options: object) -> None:
        self._page_headers = headers
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def parse_request(self) -> bool:
        """Refuse a name that an attacker's DNS points to this computer."""
        if not super().parse_request():
            return False
        try:
            name = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        except ValueError:
            name = None
        if name in (HOST, "localhost"):
            return True
        self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "this host name is not known here")
        return False

    def list_directory(self, path: object) -> None:
        """Show no folder."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """Add the headers of the page."""
        for name, value in self._page_headers.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""
