"""`htdemucs-n catalogue`: many songs of folders and object stores, by many processes or machines."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from htdemucs_n.cli.options import (
    AsJson,
    Bitrate,
    ClipMode,
    Depth,
    Device,
    DrumKit,
    EngineName,
    Flac,
    Float32,
    Format,
    Jobs,
    ModelNames,
    Mp3,
    OtherMethod,
    Overlap,
    Precision,
    Rate,
    Seed,
    Segment,
    Shifts,
    Stems,
    Tags,
    Threads,
    Trust,
    TwoStems,
    Weights,
    format_of,
    model_names,
    numbers,
)
from htdemucs_n.errors import OptionError, require_packages

if TYPE_CHECKING:
    from htdemucs_n.catalogue.run import Workers
    from htdemucs_n.catalogue.worker import Work

Places = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE DEST",
        help="SOURCE: a folder, a glob or a manifest (.csv, .jsonl, .parquet); DEST: a folder. Paths or URLs.",
        show_default=False,
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Use the Ray cluster at this address; auto takes that of this machine, or starts one.",
        show_default="no cluster",
    ),
]
StatusFlag = Annotated[bool, typer.Option("--status", help="Print the progress of the catalogue DEST and exit.")]
VerifyFlag = Annotated[bool, typer.Option("--verify", help="Compare all stems of DEST with its ledger and exit.")]


def catalogue(
    places: Places,
    jobs: Jobs = 1,
    ray: Ray = None,
    status: StatusFlag = False,
    verify: VerifyFlag = False,
    name: ModelNames = None,
    weights: Weights = None,
    engine: EngineName = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    segment: Segment = None,
    overlap: Overlap = None,
    shifts: Shifts = 0,
    seed: Seed = 0,
    drum_kit: DrumKit = False,
    stems: Stems = None,
    two_stems: TwoStems = None,
    other_method: OtherMethod = "add",
    format_name: Format = None,
    mp3: Mp3 = False,
    flac: Flac = False,
    depth: Depth = None,
    float32: Float32 = False,
    bitrate: Bitrate = None,
    rate: Rate = None,
    clip_mode: ClipMode = None,
    tags: Tags = True,
    threads: Threads = None,
    as_json: AsJson = False,
    trust: Trust = False,
) -> None:
    """Separate all songs of SOURCE into DEST.

    The stems of a song are written to DEST/SONG/STEM.FORMAT, and DEST contains a ledger of all songs. If the same
    command is run again, it separates the songs that are missing, failed or have changed.
    """
    require_packages("a catalogue", "cluster", "fsspec")
    if status or verify:
        if len(places) != 1:
            raise OptionError("--status and --verify take DEST alone")
        if status:
            _print_status(places[0], as_json)
        else:
            _verify(places[0])
        return
    if len(places) != 2:
        raise OptionError("give SOURCE and DEST: htdemucs-n catalogue SOURCE DEST")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the workers give their songs back
    from htdemucs_n.catalogue.run import run_catalogue
    from htdemucs_n.catalogue.worker import Work
    from htdemucs_n.separation.track import Output

    separator = {
        "model": model_names(name),
        "engine": engine,
        "device": device,
        "precision": precision,
        "segment": segment,
        "overlap": overlap,
        "shifts": shifts,
        "seed": seed,
        "weights": numbers(weights),
        "trusted": trust,
        "threads": threads,
        "drum_kit": drum_kit,
    }
    output = Output(format_of(format_name, mp3, flac), "float32" if float32 else depth, bitrate, rate, clip_mode, tags)
    chosen = None if stems is None else tuple(stems.split(","))
    work = Work(places[1], separator, output, chosen, two_stems, other_method)
    states = run_catalogue(places[0], places[1], _workers(work, jobs, ray), lambda record: _print(record, as_json))
    typer.echo(", ".join(f"{state}: {count:,}" for state, count in sorted(states.items())), err=as_json)
    if states["failed"] or states["set aside"]:
        raise typer.Exit(1)


def _workers(work: Work, jobs: int, ray: str | None) -> Workers:
    """Processes of this computer, or the workers of a Ray cluster."""
    if ray is None:
        from htdemucs_n.catalogue.processes import Processes

        return Processes(work, jobs)
    if jobs != 1:
        raise OptionError("--jobs is for one computer: with --ray every --threads cores have a worker")
    require_packages("--ray", "cluster", "ray")
    from htdemucs_n.catalogue.ray_workers import RayWorkers

    return RayWorkers(work, ray)


def _print(record: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(record)))
    elif record.error:
        typer.echo(f"{record.key}: {record.error}", err=True)
    else:
        typer.echo(f"{record.key}: {record.seconds:.1f} s, {record.speed:.1f} times real time")


def _print_status(dest: str, as_json: bool) -> None:
    from htdemucs_n.catalogue.status import read_status

    status = read_status(dest)
    if as_json:
        typer.echo(json.dumps(asdict(status) | {"hours_left": status.hours_left}))
        return
    known = "not counted yet" if status.songs is None else f"{status.songs:,}"
    typer.echo(f"songs: {known}")
    for state, count in sorted(status.states.items()):
        typer.echo(f"{state}: {count:,}")
    typer.echo(f"separated: {status.seconds / 3600:.1f} hours of audio")
    if status.songs_an_hour:
        typer.echo(f"now: {status.songs_an_hour:,.0f} songs an hour, {status.audio_seconds:.1f} times real time")
    if status.hours_left is not None:
        typer.echo(f"time left: {status.hours_left:.1f} hours")
    for cause, count in status.causes.most_common(10):
        typer.echo(f"{count:,} x {cause}")


def _verify(dest: str) -> None:
    from htdemucs_n.catalogue.status import verify

    wrong = 0
    for record, reason in verify(dest):
        wrong += 1
        typer.echo(f"{record.key}: {reason}", err=True)
    typer.echo("all stems are what the ledger says" if not wrong else f"{wrong:,} stems are wrong")
    if wrong:
        raise typer.Exit(1)
