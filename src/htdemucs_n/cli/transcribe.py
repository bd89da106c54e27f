"""`htdemucs-n transcribe`: songs in, one MIDI file for each out."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htdemucs_n.cli.options import Device, EngineName, ModelNames, Threads, model_names
from htdemucs_n.errors import OptionError, UserError, require_packages

if TYPE_CHECKING:
    from htdemucs_n.transcription import Transcription

Songs = Annotated[
    list[Path],
    typer.Argument(
        metavar="SONGS",
        help="Audio or video files, which are separated first; folders with the stems of a song; folders of these.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the MIDI files.")]
Quantise = Annotated[
    bool, typer.Option("--quantise/--no-quantise", help="Move notes to the sixteenths of the beats that are found.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace MIDI files that exist.")]


def transcribe(
    songs: Songs,
    out: Out = Path("transcribed"),
    quantise: Quantise = False,
    force: Force = False,
    name: ModelNames = None,
    engine: EngineName = "auto",
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write the notes of songs as MIDI files: drums, bass, vocals and, if basic-pitch is installed, other.

    A song that fails does not stop the others: failures are listed at the end, and the exit status is 1. Existing
    files are kept, so the same command continues after an interruption.
    """
    require_packages("transcribe", "transcribe", "librosa", "mido")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: leaves no partial file
    from contextlib import ExitStack
    from functools import cache

    from htdemucs_n.cli.display import Display
    from htdemucs_n.files import is_file
    from htdemucs_n.memory import keep_freed_memory
    from htdemucs_n.separation import Separator
    from htdemucs_n.separation.drum_kit import DRUM_KIT
    from htdemucs_n.separation.names import Namer, Track
    from htdemucs_n.transcription import transcribe as transcribe_stems
    from htdemucs_n.transcription import write_midi
    from htdemucs_n.transcription.songs import find_songs, separated, stem_files, with_drum_parts
    from htdemucs_n.transcription.transcribe import PIECE_SECONDS

    if is_file(out):
        raise OptionError(f"--out {out}: this is a file: give a folder")
    keep_freed_memory(one_heap=True)
    names = model_names(name)
    separator = cache(lambda: Separator(names, engine=engine, device=device, threads=threads))
    drum_kit = cache(lambda: Separator(DRUM_KIT, engine=engine, device=device, threads=threads))
    namer = Namer("{track}.{ext}", out, ",".join(names), "mid", ["mid"])
    tracks = list(find_songs(songs, out))
    failures: list[UserError] = []

    def one(track: Track, display: Display) -> None:
        target = namer.name(track).files["mid"]
        if target.exists() and not force:
            typer.echo(f"{track.path} -> {target}: it exists and is kept (--force replaces it)")
            return
        with ExitStack() as stack:
            if track.path.is_dir():
                stems = stem_files(track.path)
            else:
                progress = stack.enter_context(display.track(track.path.name, separator().segment_seconds))
                stems = stack.enter_context(separated(track.path, separator(), progress))
            stems = stack.enter_context(with_drum_parts(stems, drum_kit))
            progress = stack.enter_context(display.track(f"notes of {track.path.name}", PIECE_SECONDS))
            result = transcribe_stems(stems, progress)
        write_midi(target, track.name.rpartition("/")[2], result.beats, result.parts, quantise)
        typer.echo(f"{track.path} -> {target} ({_summary(result)})")
        for remark in result.remarks:
            typer.echo(f"  note: {remark}")

    with Display(len(tracks)) as display:
        for track in tracks:
            try:
                if isinstance(track, UserError):
                    raise track
                one(track, display)
            except UserError as error:
                failures.append(error)
            display.finish_one()
    for failure in failures:
        typer.echo(f"error: {failure}", err=True)
    if failures:
        raise typer.Exit(1)


def _summary(result: Transcription) -> str:
    """What was found, in a few words."""
    parts = [f"{part.name}: {len(part.notes)} notes" for part in result.parts]
    return ", ".join([*parts, f"{result.beats.bpm:.1f} beats a minute"])
