"""`htdemucs-n evaluate`: scores of a model, or of separated stems, on a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from htdemucs_n.cli.options import Device, EngineName, ModelNames, Trust, model_names
from htdemucs_n.errors import OptionError, require_packages, suggestion

if TYPE_CHECKING:
    from htdemucs_n.evaluation.estimators import Estimator

SOURCES = ("drums", "bass", "other", "vocals")


class Part(StrEnum):
    """Part of a MUSDB18 root."""

    test = "test"
    valid = "valid"
    train = "train"
    all = "all"


def evaluate(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="Folder of songs, folder of stem files, or root of MUSDB18.")
    ],
    name: ModelNames = None,
    stems: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Score DIR/<song>/<stem>.wav instead of a model.", show_default=False),
    ] = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for the results, which are in <out>/<model>.")
    ] = Path("evaluation"),
    engine: EngineName = "auto",
    device: Device = "auto",
    split: Annotated[Part, typer.Option(help="Part of a MUSDB18 root.")] = Part.test,
    metrics: Annotated[
        str, typer.Option(help="Metrics to compute: global, bss (BSS Eval, slow), si, lsd, leak, faults.")
    ] = "global,bss,si,lsd,leak,faults",
    baselines: Annotated[bool, typer.Option(help="Also score the mixture, silence and the oracles.")] = True,
    report: Annotated[bool, typer.Option(help="Write the HTML report.")] = True,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Songs that are scored at the same time.")] = 1,
    trust: Trust = False,
) -> None:
    """Score a model, or a folder of separated stems, on a dataset.

    It writes scores.json, scores.csv and report/index.html to <out>/<model>. Run the same command again to continue
    after an interruption. The exit status is 1 when a song could not be scored.
    """
    require_packages("evaluate", "evaluate", "torch")
    import logging

    from rich.console import Console

    from htdemucs_n.cli.progress import progress_bar
    from htdemucs_n.datasets.names import alias_table
    from htdemucs_n.datasets.songs import find_songs
    from htdemucs_n.evaluation.comparison import compare
    from htdemucs_n.evaluation.report import write_report
    from htdemucs_n.evaluation.run import evaluate as evaluate_songs
    from htdemucs_n.evaluation.summary import summarise, tables, write_scores
    from htdemucs_n.plots import require_matplotlib

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    groups = _groups(metrics)
    if report:
        require_matplotlib("the report (--no-report leaves it out)")
    estimator, ran_on = _estimator(name, stems, engine, device, trust)
    sources = [*SOURCES, *(source for source in estimator.sources if source not in SOURCES)]
    songs = find_songs(dataset, sources, alias_table(sources), split.value)
    comparison = compare(songs, sources, estimator)
    folder = out / _folder_name(estimator.name)
    with progress_bar() as bar:
        task = bar.add_task(estimator.name, total=len(songs))
        result = evaluate_songs(
            comparison, folder, groups, baselines, jobs,
            lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    summary = summarise(result)
    about = _about(dataset, split.value, ran_on)
    write_scores(result, summary, about, folder)
    page = write_report(result, summary, about, folder / "report") if report and summary else None

    console = Console()
    for table in tables(summary, comparison.stems):
        console.print(table)
    for note in comparison.notes:
        typer.echo(f"note: {note}")
    if count := sum(bool(song.notes) for song in result.songs.values()):
        typer.echo(f"note: {count} of {len(result.songs)} songs have notes, see {folder / 'scores.json'}")
    typer.echo(f"songs scored: {len(result.songs)} -> {folder if page is None else page}")
    for song, why in result.failures.items():
        typer.echo(f"error: {song}: {why}", err=True)
    if result.failures:
        typer.echo(f"{len(result.failures)} of {len(songs)} songs could not be scored", err=True)
        raise typer.Exit(1)


def _groups(metrics: str) -> list[str]:
    """The groups of metrics by their names. Raises `UserError` for one that is unknown, or needs a package."""
    from htdemucs_n.evaluation.bss_eval import require_museval
    from htdemucs_n.evaluation.score import GROUPS

    groups = [group.strip() for group in metrics.split(",") if group.strip()]
    for group in groups:
        if group not in GROUPS:
            raise OptionError(f"--metrics {group}: {suggestion(group, GROUPS)}")
    if not groups:
        raise OptionError(f"--metrics is empty: choose from {', '.join(GROUPS)}")
    if "bss" in groups:
        require_museval()
    return groups


def _estimator(
    name: str | None, stems: Path | None, engine: str, device: str, trust: bool
) -> tuple[Estimator, dict[str, str]]:
    """Where the estimates come from; and of a model the engine, the device and the precision."""
    from htdemucs_n.evaluation.estimators import FolderEstimates, ModelEstimates

    if stems is not None:
        if name is not None:
            raise OptionError("give --name or --stems, not both")
        return FolderEstimates(stems, SOURCES), {}
    from htdemucs_n.memory import keep_freed_memory
    from htdemucs_n.separation import Separator

    keep_freed_memory()
    names = model_names(name)
    separator = Separator(names, engine=engine, device=device, trusted=trust)
    runner = separator.engine
    ran_on = {"engine": runner.name, "device": runner.device, "precision": runner.precision}
    keys = [*ran_on.values()]
    for model in names:
        stats = [file.stat() for file in _files_of(model)]
        keys += [model, *(f"{stat.st_size} {stat.st_mtime_ns}" for stat in stats)]
    shown = names[0] if len(names) == 1 else "+".join(_folder_name(model) for model in names)
    return ModelEstimates(shown, " ".join(keys), separator.sources, separator.separate), ran_on


def _files_of(model: str) -> list[Path]:
    """The files that a model is read from: their sizes and times show that it changed.

    Official weights never change under their name.
    """
    from htdemucs_n.models.names import OFFICIAL_MODELS, graph_paths, model_files

    if model in OFFICIAL_MODELS:
        return []
    named = [*model_files(model), *graph_paths(model)]
    # A graph can have its weights in a file beside it.
    files = {file.with_suffix(suffix) for file in named for suffix in (file.suffix, ".bin", ".safetensors")}
    return sorted(file for file in files if file.is_file())


def _about(dataset: Path, split: str, ran_on: Mapping[str, str]) -> dict[str, Any]:
    """What the scores were made with, for `scores.json` and the report. Only a MUSDB18 root has parts."""
    import torch

    from htdemucs_n.datasets import musdb
    from htdemucs_n.provenance import describe_machine

    machine = describe_machine(torch.get_num_threads(), ran_on.get("device", "cpu"))
    part = {"split": split} if musdb.is_root(dataset) else {}
    return {"dataset": dataset.as_posix(), **part, **ran_on, **machine}


def _folder_name(name: str) -> str:
    """The last part of a model's name or path, without its suffix, as every system can hold it."""
    from htdemucs_n.separation.names import safe_name

    path = Path(name)
    return safe_name(path.stem if path.suffix in (".safetensors", ".onnx", ".xml") else path.name)
