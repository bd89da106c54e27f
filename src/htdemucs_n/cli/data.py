"""`htdemucs-n data`: the verbs about training data."""

from __future__ import annotations

import typer

from htdemucs_n.cli.check import check

data = typer.Typer(help="Check training data.", no_args_is_help=True, rich_markup_mode=None)
data.command()(check)


@data.callback()
def _data() -> None:
    """Check training data."""
