"""`htdemucs-n studio`: separation in the browser, on this computer."""

from __future__ import annotations

from typing import Annotated

import typer

from htdemucs_n.cli.options import Device, EngineName, ModelNames, Threads, model_names
from htdemucs_n.cli.serve import Library, loader
from htdemucs_n.errors import require_packages

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")]


def studio(
    library: Library = None,
    port: Port = 8766,
    browser: Browser = True,
    name: ModelNames = None,
    engine: EngineName = "auto",
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Open a page in the browser that separates songs and plays their stems. Nothing leaves this computer.

    Stop it with Ctrl-C; songs that are not finished continue at the next start.
    """
    require_packages("studio", "studio", "fastapi", "uvicorn", "python_multipart", "sse_starlette", "prometheus_client")
    import logging
    import webbrowser

    from htdemucs_n.memory import keep_freed_memory
    from htdemucs_n.separation import Separator
    from htdemucs_n.service.server import serve
    from htdemucs_n.service.settings import Settings, default_library

    keep_freed_memory(one_heap=True)
    names = model_names(name)
    settings = Settings(library or default_library(), port=port, page=True)
    separator = Separator(names, engine=engine, device=device, threads=threads)

    def show(url: str) -> None:
        typer.echo(f"the studio is at {url} (Ctrl-C ends it)")
        if browser:
            webbrowser.open(url)

    # Who looks at a page reads no log.
    serve(settings, separator, ",".join(names), show, logging.WARNING, loader(engine, device, threads))
