"""`htdemucs-n separate`: songs in, one file per stem out."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

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
from htdemucs_n.errors import OptionError

Tracks = Annotated[
    list[str],  # not Path, which would take one slash from a URL before it is named in a message
    typer.Argument(
        metavar="TRACKS",
        help="Audio or video files, folders with their subfolders, or - for standard input.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the stems; - writes one stem to standard output.")]
Filename = Annotated[
    str | None,
    typer.Option(
        help="Names of the files in that folder, with {track} {stem} {ext} {model} {trackext}.",
        metavar="TEMPLATE",
        show_default="{model}/{track}/{stem}.{ext}",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace stems that exist.")]
SkipExisting = Annotated[bool, typer.Option("--skip-existing", help="Do not list songs whose stems exist.")]


def separate(
    tracks: Tracks,
    out: Out = Path("separated"),
    filename: Filename = None,
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
    force: Force = False,
    skip_existing: SkipExisting = False,
    jobs: Jobs = 1,
    threads: Threads = None,
    as_json: AsJson = False,
    trust: Trust = False,
) -> None:
    """Separate songs into stems: drums, bass, other and vocals.

    A song that fails does not stop the others: failures are listed at the end, and the exit status is 1. Existing
    stems are kept, so the same command continues after an interruption.
    """
    from htdemucs_n.cli.batch import BatchReport
    from htdemucs_n.memory import keep_freed_memory

    keep_freed_memory(one_heap=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: leaves no partial file
    from htdemucs_n.separation import Separator
    from htdemucs_n.separation.batch import Batch
    from htdemucs_n.separation.inputs import find_tracks
    from htdemucs_n.separation.names import Namer, track_name
    from htdemucs_n.separation.stem_file import default_template, file_names
    from htdemucs_n.separation.stems import StemChoice
    from htdemucs_n.separation.track import STANDARD, Output

    _check_out(out)
    output = Output(format_of(format_name, mp3, flac), "float32" if float32 else depth, bitrate, rate, clip_mode, tags)
    names = model_names(name)
    separator = Separator(
        names,
        engine=engine,
        device=device,
        precision=precision,
        segment=segment,
        overlap=overlap,
        shifts=shifts,
        seed=seed,
        weights=numbers(weights),
        trusted=trust,
        threads=threads,
        drum_kit=drum_kit,
    )
    choice = StemChoice(separator.sources, None if stems is None else stems.split(","), two_stems, other_method)
    files = file_names(output.format, choice)
    to_pipe = out == STANDARD
    if to_pipe and (len(files) > 1 or len(tracks) > 1 or Path(tracks[0]).is_dir()):
        raise OptionError("-o -: one song and one stem go to standard output: add --stems vocals, for example")
    model_name = "+".join(track_name(Path(model)) for model in names)
    namer = Namer(filename or default_template(files), Path() if to_pipe else out, model_name, output.format, files)
    batch = Batch(separator, choice, output, namer, None if to_pipe else out, force=force)
    report = BatchReport(to_pipe, skip_existing, as_json)
    if not report.run(batch, list(find_tracks(tracks, out)), jobs):
        raise typer.Exit(1)


def _check_out(out: Path) -> None:
    from htdemucs_n.files import as_url

    if (url := as_url(out)) and not out.exists():
        raise OptionError(f"--out {url}: stems are written to a folder of this computer, not to a URL")
