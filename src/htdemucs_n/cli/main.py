"""Entry point of the command `htdemucs-n`."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Annotated

import typer

from htdemucs_n import __version__
from htdemucs_n.cli.average import average
from htdemucs_n.cli.catalogue import catalogue
from htdemucs_n.cli.data import data
from htdemucs_n.cli.default_verb import GroupWithDefaultVerb
from htdemucs_n.cli.demo import demo
from htdemucs_n.cli.evaluate import evaluate
from htdemucs_n.cli.export import export
from htdemucs_n.cli.info import info
from htdemucs_n.cli.models import models
from htdemucs_n.cli.profile import profile
from htdemucs_n.cli.separate import separate
from htdemucs_n.cli.serve import serve
from htdemucs_n.cli.studio import studio
from htdemucs_n.cli.train import train
from htdemucs_n.cli.transcribe import transcribe
from htdemucs_n.cli.web import web
from htdemucs_n.engines.engine import memory_checked
from htdemucs_n.errors import OptionError, UserError
from htdemucs_n.openmp import configure_openmp

app = typer.Typer(
    name="htdemucs-n",
    cls=GroupWithDefaultVerb,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,  # help texts hold [brackets] and <angles>, which are no markup
    pretty_exceptions_enable=False,
)
app.command()(separate)
app.command()(catalogue)
app.command()(demo)
app.command()(transcribe)
app.command()(evaluate)
app.command()(export)
app.command()(models)
app.command()(info)
app.command()(profile)
app.command()(studio)
app.command()(serve)
app.command()(web)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(train)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(average)
app.add_typer(data, name="data")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"htdemucs-n {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Separate a song into drums, bass, other and vocals.

    `htdemucs-n song.mp3` is short for `htdemucs-n separate song.mp3`.
    """


def main() -> None:
    """Run the command line.

    Exit status: 0; 1 for a `UserError`, or a full disk behind standard output, printed as one line; 2 for a wrong
    option; 130 for Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file name may hold what the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    configure_openmp()
    try:
        with memory_checked("not enough memory: end other programs, or use a shorter segment, such as 2 s"):
            app()
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2 if isinstance(error, OptionError) else 1)
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would try again when it ends
        typer.echo(f"error: standard output cannot be written ({error.strerror}): direct it elsewhere", err=True)
        sys.exit(1)
