"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

ModelName = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--name",
        help="Model: the name of a shipped one, or a checkpoint.",
        show_default="the shipped one",
    ),
]
"""A model for `Separator`; None is the shipped default."""

Device = Annotated[str, typer.Option("-d", "--device", help="cpu, cuda, mps; auto takes the fastest there is.")]
"""A device for `Separator`."""
