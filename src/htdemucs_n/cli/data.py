"""`htdemucs-n data`: the verbs about training data."""

from __future__ import annotations

import typer

data = typer.Typer(help="Make and check training data.", no_args_is_help=True, rich_markup_mode=None)


@data.callback()
def _data() -> None:
    """Make and check training data."""
