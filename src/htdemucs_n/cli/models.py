"""`htdemucs-n models`: lists the models that can separate, or shows the card of one."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer


def models(
    name: Annotated[str | None, typer.Argument(help="Show the card of this model.", show_default="list all")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the models that come with the package, with size, score and licence, and the official models.

    With a NAME, show the card of a model: its scores, its limits, and the data that it was trained on, with licences.
    """
    from rich.console import Console
    from rich.table import Table

    from htdemucs_n.models.names import (
        DEFAULT_MODEL,
        OFFICIAL_MODELS,
        available_models,
        describe_model,
        is_scored_as_default,
        model_card,
    )

    if name is not None:
        typer.echo(model_card(name))
        return

    shipped = [describe_model(name) for name in available_models()]
    if as_json:
        typer.echo(json.dumps({"shipped": [asdict(m) for m in shipped], "official": OFFICIAL_MODELS}, indent=2))
        return
    table = Table()
    for column in ("name", "parameters", "file", "SDR, dB", "stems", "licence of the weights"):
        table.add_column(column, justify="right" if column in ("parameters", "file", "SDR, dB") else "left")
    for model in shipped:
        table.add_row(
            model.name + (" (default)" if model.name == DEFAULT_MODEL else ""),
            f"{model.parameters / 1e6:.1f} M",
            f"{model.mib:.0f} MiB",
            "-" if model.sdr is None else f"{model.sdr:.2f}",
            ", ".join(model.sources),
            model.weights_licence,
        )
    Console(width=120).print(table)
    if others := [model.name for model in shipped if not is_scored_as_default(model)]:
        typer.echo(
            f"The SDR of {', '.join(others)} is of other stems and other recordings than that of {DEFAULT_MODEL}: "
            "they cannot be compared."
        )
    typer.echo(f"The code has the licence {shipped[0].code_licence}. The weights have one of their own.")
    typer.echo(f"The card of a model has its data with their licences: htdemucs-n models {DEFAULT_MODEL}")
    typer.echo("With the package demucs (extra `official`), downloaded on first use:")
    for name, what in OFFICIAL_MODELS.items():
        typer.echo(f"  {name}: {what}")
    typer.echo("Or the path of a checkpoint: separate -n FILE")
