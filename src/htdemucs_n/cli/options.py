"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from htdemucs_n.errors import OptionError
from htdemucs_n.files import file_identity

ModelName = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--name",
        help="Name of a shipped model, or path of a checkpoint.",
        show_default="the shipped model",
    ),
]
"""A model for `Separator`; None is the shipped default."""

ModelNames = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--name",
        help="Name of a shipped or official model, or path of a checkpoint or exported file; a,b averages several.",
        show_default="the shipped model",
    ),
]
"""Models for `Separator`, with commas between them; `model_names` splits them."""

EngineName = Annotated[
    str, typer.Option("--engine", help="Library that runs the model: auto, onnx, openvino or torch.")
]
"""An engine for `Separator`."""

Device = Annotated[
    str, typer.Option("-d", "--device", help="cpu, cuda or mps; auto takes the first available of cuda, mps and cpu.")
]
"""A device for `Separator`."""

Threads = Annotated[
    int | None, typer.Option(min=1, max=1024, help="CPU threads of the model.", show_default="one per core")
]
"""Threads for `Separator`."""

Trust = Annotated[
    bool,
    typer.Option("--trust-checkpoint", help="Open a pickled official checkpoint. Opening it can execute any code."),
]
"""`trusted` for `Separator`."""


def model_names(text: str) -> list[str]:
    """`a,b` as two models, unless there is a file of that name. Raises `OptionError` where none is named."""
    names = [text] if file_identity(Path(text)) else [name for name in text.split(",") if name]
    if not names:
        raise OptionError(f"--name {text}: give the name of a model, or several with commas between them")
    return names
