"""`htdemucs-n separate`: songs in, one folder of stems a song out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htdemucs_n.cli.options import Device, ModelName
from htdemucs_n.errors import UserError

if TYPE_CHECKING:
    from rich.progress import Progress

    from htdemucs_n.separation import Separator


def separate(
    tracks: Annotated[
        list[Path],
        typer.Argument(metavar="TRACKS", help="Audio or video files.", show_default=False, readable=False),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Stems go to <out>/<model>/<track>/<stem>.wav.")] = Path(
        "separated"
    ),
    name: ModelName = None,
    device: Device = "auto",
    segment: Annotated[
        float | None,
        typer.Option(help="Seconds that the model hears at once.", show_default="as the model was trained"),
    ] = None,
    overlap: Annotated[
        float | None,
        typer.Option(help="Part of a segment shared with the next, 0 to 0.95.", show_default="the model's, 0.25"),
    ] = None,
    shifts: Annotated[
        int, typer.Option(help="Average over N random shifts in time: N times the time.", metavar="N")
    ] = 0,
    two_stems: Annotated[
        str | None, typer.Option(metavar="STEM", help="Write only STEM and no_STEM, the sum of the others.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("-j", "--jobs", min=1, help="CPU threads to compute with.", show_default="one a core"),
    ] = None,
    float32: Annotated[
        bool, typer.Option("--float32", help="Write 32-bit float, never scaled, in place of 16-bit.")
    ] = False,
) -> None:
    """Separate songs into stems: drums, bass, other and vocals.

    A track that fails does not stop the others: failures are listed at the end, and the exit status is 1.
    """
    from htdemucs_n.memory import keep_freed_memory

    keep_freed_memory()
    import torch

    from htdemucs_n.models.registry import DEFAULT_MODEL
    from htdemucs_n.separation import Separator

    if jobs:
        torch.set_num_threads(jobs)
    name = name or DEFAULT_MODEL
    separator = Separator(name, device, segment, overlap, shifts)
    if two_stems is not None and two_stems not in separator.sources:
        raise UserError(f"--two-stems {two_stems}: the model's stems are {', '.join(separator.sources)}")

    failures: list[UserError] = []
    for track, folder in zip(tracks, _folders(tracks, out / _folder_name(name)), strict=True):
        try:
            _separate_track(track, folder, separator, two_stems, float32)
        except UserError as error:
            failures.append(error)
    for failure in failures:
        typer.echo(f"error: {failure}", err=True)
    if failures:
        if len(tracks) > 1:
            typer.echo(f"{len(failures)} of {len(tracks)} tracks failed", err=True)
        raise typer.Exit(1)


def _separate_track(track: Path, folder: Path, separator: Separator, two_stems_of: str | None, float32: bool) -> None:
    """Separate one file into `folder`, and say what was done."""
    import torch

    from htdemucs_n.audio import make_folder, read_audio
    from htdemucs_n.separation import two_stems, write_stems

    audio = read_audio(track)
    make_folder(folder)  # before the work, not after it, if the folder cannot be written
    with _progress() as bar:
        task = bar.add_task(track.name, total=None)
        stems = separator.separate(
            torch.from_numpy(audio.samples),
            audio.sample_rate,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if two_stems_of is not None:
        stems = two_stems(stems, two_stems_of)
    gain = write_stems(stems, folder, audio.sample_rate, float32)

    typer.echo(f"{track} -> {folder}")
    if (channels := audio.samples.shape[0]) > 2:
        typer.echo(f"  note: its {channels} channels were mixed down to stereo")
    if gain < 1:
        typer.echo(f"  note: a stem went over full scale, so all were scaled by {gain:.3f} (--float32 keeps levels)")


def _progress() -> Progress:
    """A bar on stderr that goes when it is done; none where stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %, time left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _folders(tracks: list[Path], root: Path) -> list[Path]:
    """One folder a track, by its name without extension; a name that is taken gets `-2`, `-3`, ..."""
    taken: set[str] = set()
    folders = []
    for track in tracks:
        base = name = _folder_name(track)
        number = 1
        while name.casefold() in taken:  # many file systems do not tell upper from lower case
            number += 1
            name = f"{base}-{number}"
        taken.add(name.casefold())
        folders.append(root / name)
    return folders


def _folder_name(path: str | Path) -> str:
    """Last part of a path without its extension, and without the dots and spaces at its end.

    Windows cannot hold those, and they leave nothing of `..`, which would lead out of the output folder.
    """
    return Path(path).stem.rstrip(". ") or "_"
