"""`htdemucs-n serve`: separation as a service over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htdemucs_n.cli.options import Device, EngineName, ModelNames, Threads, model_names
from htdemucs_n.errors import require_packages

if TYPE_CHECKING:
    from htdemucs_n.service.separators import Load

Library = Annotated[
    Path | None,
    typer.Option(help="Folder of the library.", show_default="htdemucs-n/library in the user's data folder"),
]
Host = Annotated[str, typer.Option(help="Address to listen on; an address other than loopback needs a token.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Host name under which clients may reach the service, besides localhost; can be repeated.",
    ),
]
AllowFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder whose songs may be submitted by their paths.", show_default="none"),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File with the token that clients must send; by default the environment variable HTDEMUCS_N_TOKEN.",
        show_default=False,
    ),
]
Certificate = Annotated[
    Path | None, typer.Option("--cert", metavar="FILE", help="Certificate for HTTPS, PEM.", show_default="none")
]
Key = Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Key of the certificate.", show_default="none")]
Page = Annotated[bool, typer.Option("--page/--no-page", help="Serve the page of the studio, which asks for the token.")]
MaxUpload = Annotated[float, typer.Option(metavar="MIB", help="Largest size of a song in MiB.")]
MaxMinutes = Annotated[float, typer.Option(metavar="MINUTES", help="Greatest length of a song in minutes.")]
MaxQueue = Annotated[int, typer.Option(metavar="JOBS", help="Largest number of jobs that wait.")]
MaxLibrary = Annotated[float, typer.Option(metavar="GIB", help="Largest size of the library in GiB.")]


def serve(
    library: Library = None,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    allow_host: AllowHost = None,
    allow_folder: AllowFolder = None,
    token_file: TokenFile = None,
    certificate: Certificate = None,
    key: Key = None,
    page: Page = True,
    max_upload: MaxUpload = 500,
    max_minutes: MaxMinutes = 60,
    max_queue: MaxQueue = 100,
    max_library: MaxLibrary = 50,
    name: ModelNames = None,
    engine: EngineName = "auto",
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Separate songs for other programs over HTTP, with a queue and a library of results.

    Stop it with Ctrl-C or SIGTERM; jobs that are not finished continue at the next start.
    """
    require_packages("serve", "studio", "fastapi", "uvicorn", "python_multipart", "sse_starlette", "prometheus_client")
    from htdemucs_n.memory import keep_freed_memory
    from htdemucs_n.separation import Separator
    from htdemucs_n.service.server import serve as run
    from htdemucs_n.service.settings import Limits, Settings, default_library, read_token

    keep_freed_memory(one_heap=True)
    settings = Settings(
        library=library or default_library(),
        host=host,
        port=port,
        folder=allow_folder,
        hosts=tuple(allow_host or ()),
        token=read_token(token_file),
        page=page,
        certificate=certificate,
        key=key,
        limits=Limits(int(max_upload * 2**20), 60 * max_minutes, max_queue, int(max_library * 2**30)),
    )
    names = model_names(name)
    separator = Separator(names, engine=engine, device=device, threads=threads)
    run(settings, separator, ",".join(names), load=loader(engine, device, threads))


def loader(engine: str, device: str, threads: int | None) -> Load:
    """What loads the separator of a job that names a model, an engine or the drum kit.

    The engine `auto` of a job is the `engine` of the server.
    """
    from htdemucs_n.separation import Separator
    from htdemucs_n.service.separators import AUTO

    def load(model: str, chosen: str, drum_kit: bool) -> Separator:
        name = engine if chosen == AUTO else chosen
        return Separator(model_names(model), engine=name, device=device, threads=threads, drum_kit=drum_kit)

    return load
