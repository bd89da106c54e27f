"""`htdemucs-n web`: the page that separates songs in the browser itself."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the page, as `npm run build` made it.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")]


def web(folder: Folder = Path("web/dist"), port: Port = 8767, browser: Browser = True) -> None:
    """Serve the page that separates songs in the browser itself, without Python. Stop it with Ctrl-C."""
    import webbrowser

    from htdemucs_n.service.web import HOST, page_server

    with page_server(folder, port) as server:
        url = f"http://{HOST}:{server.server_port}"
        typer.echo(f"the page is at {url} (Ctrl-C ends it)")
        if browser:
            webbrowser.open(url)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
