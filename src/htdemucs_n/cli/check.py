"""`htdemucs-n data check`: reports what a folder of songs holds and the problems in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htdemucs_n.tables import counted

if TYPE_CHECKING:
    from htdemucs_n.datasets.check import Report

SOURCES = ("drums", "bass", "other", "vocals")


def check(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of songs, folder of stem files, or root of MUSDB18.")
    ],
    stem: Annotated[
        str | None, typer.Option(help="DIR holds single stems of this kind, at any depth.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Songs that are decoded at the same time.")] = 2,
) -> None:
    """Report the songs of a folder, the minutes of each stem, the sample rates and every problem.

    The exit status is 1 when a file cannot be read, or the folder contains no song.
    """
    import dataclasses
    import json

    from htdemucs_n.cli.progress import progress_bar
    from htdemucs_n.datasets.check import check as check_folder

    with progress_bar() as bar:
        task = bar.add_task(folder.name, total=None)
        report = check_folder(
            folder, SOURCES, stem, jobs, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(report), indent=2, ensure_ascii=False))
    else:
        _print(report)
    if report.unreadable:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    """Print the report as text: the totals, then the problems by kind."""
    typer.echo(f"{counted(report.songs, 'song')}, {counted(report.files, 'file')} of stems")
    for stem, minutes in report.minutes.items():
        typer.echo(f"  {stem:<8} {minutes:8.1f} min")
    for rate, files in report.rates.items():
        typer.echo(f"  {rate:,} Hz: {counted(files, 'file')}")
    kinds = sorted({problem.kind for problem in report.problems})
    for kind in kinds:
        problems = [problem for problem in report.problems if problem.kind == kind]
        typer.echo(f"{kind}: {len(problems):,}")
        for problem in problems:
            typer.echo(f"  {problem.where}: {problem.detail}")
    if report.unreadable:
        typer.echo(f"{report.unreadable:,} of {report.files:,} files could not be read", err=True)
    elif not kinds:
        typer.echo("no problems found")
