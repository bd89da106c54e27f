"""`song-maker`: songs and drums in stems for training, from MIDI sets and sampled instruments."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htdemucs_n.cli.progress import progress_bar
from htdemucs_n.errors import UserError

if TYPE_CHECKING:
    from song_maker.library import Sources


Out = Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to, with one folder for each song.")]
Grooves = Annotated[Path, typer.Option("--groove", help="Zip of the Groove MIDI data set: drumming.")]
Count = Annotated[int, typer.Option(min=1, help="Number of songs in the folder at the end.")]
Seconds = Annotated[float, typer.Option(min=4.0, max=60.0, help="Length of a song in seconds.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random choices; each seed gives other songs.")]
Jobs = Annotated[int, typer.Option("-j", "--jobs", min=1, help="Songs made at the same time.")]
Form = Annotated[str, typer.Option("--format", help="flac or wav.")]


def songs(
    out: Out,
    pop909: Annotated[Path, typer.Option(help="Zip of the POP909 data set: chords and melodies.")],
    groove: Grooves,
    voices: Annotated[
        Path | None,
        typer.Option(help="Folder of a voice bank, whose voices sing the melodies.", show_default="no vocals"),
    ] = None,
    count: Count = 100,
    seconds: Seconds = 13.0,
    seed: Seed = 0,
    jobs: Jobs = 1,
    form: Form = "flac",
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps the analysed voice bank.", show_default="DIR/.voices")
    ] = None,
) -> None:
    """Make songs in the stems drums, bass, other and vocals. Existing songs are kept, so the command can be repeated.

    The same seed gives the same songs on the same computer. FluidSynth and SoundFonts must be installed.
    """
    with _making():
        from song_maker.library import SongSources
        from song_maker.mma import find_mma

    if find_mma() is None:
        typer.echo("no song is accompanied by MMA: for its styles too, on Debian: apt install mma", err=True)
    _make(SongSources(pop909, groove, voices, cache or out / ".voices"), out, count, seconds, seed, form, jobs)


def drums(
    out: Out,
    groove: Grooves,
    muldjord: Annotated[
        Path | None,
        typer.Option(help="Folder of MuldjordKit, with one folder for each piece.", show_default="not used"),
    ] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Use the kits and performances that are never trained on.")
    ] = False,
    behind: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Mix each recording with a song of --songs and separate it by this model."),
    ] = None,
    songs: Annotated[
        Path | None, typer.Option(help="Folder of songs in stems, for --behind: song/{bass,other,vocals}.ogg.")
    ] = None,
    count: Count = 100,
    seconds: Seconds = 13.0,
    seed: Seed = 0,
    jobs: Jobs = 1,
    form: Form = "flac",
) -> None:
    """Make recordings of drums in the parts kick, snare, toms, hihat and cymbals, which add up to the recording.

    With --behind, a recording is what a model separates from a song with these drums.
    """
    with _making():
        from song_maker.library import DrumSources

    if (behind is None) != (songs is None):
        raise UserError("--behind and --songs belong together: give both or neither")
    _make(DrumSources(groove, muldjord, held_out, behind, songs), out, count, seconds, seed, form, jobs)


@contextmanager
def _making() -> Iterator[None]:
    """Name the extra where one of its packages is missing."""
    try:
        yield
    except ImportError as error:
        raise UserError(f"making songs needs extra packages ({error.name}): pip install 'htdemucs-n[make]'") from error


def _make(sources: Sources, out: Path, count: int, seconds: float, seed: int, form: str, jobs: int) -> None:
    from song_maker.library import FORMATS, Request, make_songs

    if form not in FORMATS:
        raise UserError(f"--format {form}: choose one of {', '.join(FORMATS)}")
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # the songs are the parallel work
        os.environ.setdefault(variable, "1")
    with progress_bar() as bar:
        task = bar.add_task(f"songs in {out}", total=count)
        made, failed = make_songs(
            sources,
            Request(out, count, seconds, seed, form),
            jobs,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    typer.echo(f"songs made: {made:,}, there before: {count - made - len(failed):,} -> {out}")
    if failed:
        typer.echo(f"{len(failed)} could not be made: {', '.join(map(str, failed))}", err=True)
        raise typer.Exit(1)


app = typer.Typer(
    help="Make songs and recordings of drums in stems, to train on.",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(songs)
app.command()(drums)


def main() -> None:
    """Run the command line. Exit status: 0; 1 for a `UserError`, printed as one line; 2 for a wrong option."""
    try:
        app()
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
