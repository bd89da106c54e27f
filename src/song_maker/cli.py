"""`song-maker`: songs in stems for training, from MIDI sets and sampled instruments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from htdemucs_n.cli.progress import progress_bar
from htdemucs_n.errors import UserError


def make(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the songs, one folder each.")],
    pop909: Annotated[Path, typer.Option(help="Zip of the POP909 data set: chords and melodies.")],
    groove: Annotated[Path, typer.Option(help="Zip of the Groove MIDI data set: drumming.")],
    voices: Annotated[
        Path | None,
        typer.Option(help="Folder of a voice bank, whose voices sing the melodies.", show_default="no vocals"),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of songs in the folder at the end.")] = 100,
    seconds: Annotated[float, typer.Option(min=4.0, max=60.0, help="Length of a song.")] = 13.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random choices; each seed gives other songs.")] = 0,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Songs made at the same time.")] = 1,
    form: Annotated[str, typer.Option("--format", help="flac or wav.")] = "flac",
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps the analysed voice bank.", show_default="DIR/.voices")
    ] = None,
) -> None:
    """Make songs in stems for training. Existing songs are kept, so the same command continues a run.

    The same seed gives the same songs on the same computer. FluidSynth and SoundFonts must be installed.
    """
    try:
        from song_maker.library import FORMATS, Request, Sources, make_songs
    except ImportError as error:
        raise UserError(f"making songs needs extra packages ({error.name}): pip install 'htdemucs-n[make]'") from error

    if form not in FORMATS:
        raise UserError(f"--format {form}: choose one of {', '.join(FORMATS)}")
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # the songs are the parallel work
        os.environ.setdefault(variable, "1")
    with progress_bar() as bar:
        task = bar.add_task(f"songs in {out}", total=count)
        made, failed = make_songs(
            Sources(pop909, groove, voices, cache or out / ".voices"),
            Request(out, count, seconds, seed, form),
            jobs,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    typer.echo(f"songs made: {made:,}, there before: {count - made - len(failed):,} -> {out}")
    if failed:
        typer.echo(f"{len(failed)} could not be made: {', '.join(map(str, failed))}", err=True)
        raise typer.Exit(1)


app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command()(make)


def main() -> None:
    """Run the command line. Exit status: 0; 1 for a `UserError`, printed as one line; 2 for a wrong option."""
    try:
        app()
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
