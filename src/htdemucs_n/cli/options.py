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

ModelNames = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--name",
        help="Model: a shipped or official one, or a checkpoint; the average of several: a,b.",
        show_default="the shipped one",
    ),
]
"""Models for `Separator`, with commas between them."""

Device = Annotated[str, typer.Option("-d", "--device", help="cpu, cuda, mps; auto takes the fastest there is.")]
"""A device for `Separator`."""
