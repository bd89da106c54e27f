"""`htdemucs-n profile`: measures what a model costs, by part, by length, and beside another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htdemucs_n.cli.options import Device, ModelName, Trust
from htdemucs_n.errors import OptionError, require_packages

if TYPE_CHECKING:
    from htdemucs_n.profiling.measurements import Measurements


def profile(
    name: ModelName = None,
    preset: Annotated[
        str | None, typer.Option(help="Profile a preset with random weights instead of a model.", show_default=False)
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="PRESET",
            help="Compare with a preset, or with `official`: the architecture of PyPI's demucs with random weights.",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16, as in separate.")] = "auto",
    segment: Annotated[
        float | None, typer.Option(help="Length of a segment in seconds.", show_default="the model's")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Number of segments in a batch.", show_default="1 on a CPU, 4 on other devices")
    ] = None,
    lengths: Annotated[
        str | None,
        typer.Option(
            help="Also separate noise of these lengths, for example 30,60,600.", metavar="SECONDS", show_default="none"
        ),
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            help="Also compare linear and softmax attention over these numbers of tokens, for example 1000,4000.",
            metavar="NUMBERS",
            show_default="none",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Passes to measure; the median is reported.")] = 5,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="one per core")] = None,
    trust: Trust = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the measurements to FILE.", show_default=False)
    ] = None,
    png_file: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help="Draw the measurements to FILE.", show_default=False)
    ] = None,
) -> None:
    """Report parameters, FLOPs, time and memory of a model, by part.

    Every measurement runs in a process of its own, so that its peak memory is that of the model.
    """
    require_packages("profile", "torch", "torch")
    from rich.console import Console

    from htdemucs_n.cli.progress import progress_bar
    from htdemucs_n.models.names import DEFAULT_MODEL
    from htdemucs_n.plots import require_matplotlib
    from htdemucs_n.profiling.measurements import measure
    from htdemucs_n.profiling.passes import Settings
    from htdemucs_n.profiling.profiled_model import ProfiledModel
    from htdemucs_n.profiling.tables import all_tables

    if png_file:
        require_matplotlib("--png")
    if name is not None and preset is not None:
        raise OptionError("give --name or --preset, not both")
    seconds = _numbers("--lengths", lengths)
    counts = [round(number) for number in _numbers("--tokens", tokens)]
    name = DEFAULT_MODEL if name is None else name
    models = [ProfiledModel(preset, untrained=True) if preset else ProfiledModel(name, trusted=trust)]
    models += [ProfiledModel(against, untrained=True)] if against else []
    settings = Settings(device, precision, segment, batch, threads)
    with progress_bar() as bar:
        task = bar.add_task("measuring", total=None)
        found = measure(
            models, settings, seconds, counts, repeats,
            lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    console = Console()
    for table in all_tables(found):
        console.print(table)
    _write_files(found, threads, json_file, png_file)


def _write_files(found: Measurements, threads: int | None, json_file: Path | None, png_file: Path | None) -> None:
    import torch

    from htdemucs_n.profiling.picture import save_picture
    from htdemucs_n.profiling.records import write_record
    from htdemucs_n.provenance import describe_machine

    if json_file:
        about = describe_machine(threads or torch.get_num_threads(), found.profiles[0].device)
        write_record(json_file, about, profiles=found.profiles, lengths=found.lengths, attention=found.attention)
    if png_file:
        save_picture(png_file, found.profiles, found.lengths, found.attention)
    for file in (json_file, png_file):
        if file:
            typer.echo(f"-> {file}")


def _numbers(option: str, text: str | None) -> list[float]:
    """Numbers above 0 with commas between them. Raises `UserError` for anything else."""
    try:
        numbers = [float(number) for number in (text or "").split(",") if number.strip()]
    except ValueError:
        numbers = [-1.0]
    if any(not 0 < number < float("inf") for number in numbers):
        raise OptionError(f"{option} {text}: it takes numbers above 0 with commas between them, as 30,60")
    return numbers
