"""`htdemucs-n data`: the verbs about training data."""

from __future__ import annotations

import typer

from htdemucs_n.cli.check import check
from htdemucs_n.cli.make import make

data = typer.Typer(help="Make and check training data.", no_args_is_help=True, rich_markup_mode=None)
data.command()(check)
data.command()(make)


@data.callback()
def _data() -> None:
    """Make and check training data."""
