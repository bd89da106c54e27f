"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from htdemucs_n.cli import completion
from htdemucs_n.errors import OptionError
from htdemucs_n.files import file_identity
from htdemucs_n.models.names import DEFAULT_MODEL

ModelName = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--name",
        help="Name of a shipped model, or path of a checkpoint.",
        autocompletion=completion.models,
        show_default=DEFAULT_MODEL,
    ),
]
"""A model for `Separator`; None is the shipped default."""

ModelNames = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--name",
        help="Name of a shipped or official model, or path of a checkpoint or exported file; a,b averages several.",
        autocompletion=completion.models,
        show_default=DEFAULT_MODEL,
    ),
]
"""Models for `Separator`, with commas between them; `model_names` splits them."""

EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="Library that runs the model: auto, onnx, openvino or torch.",
        autocompletion=completion.engines,
    ),
]
"""An engine for `Separator`."""

Device = Annotated[
    str, typer.Option("-d", "--device", help="cpu, cuda or mps; auto takes the first available of cuda, mps and cpu.")
]
"""A device for `Separator`."""

Threads = Annotated[
    int | None, typer.Option(min=1, max=1024, help="CPU threads of the model.", show_default="one per core")
]
"""Threads for `Separator`."""

Trust = Annotated[
    bool,
    typer.Option("--trust-checkpoint", help="Open a pickled official checkpoint. Opening it can execute any code."),
]
"""`trusted` for `Separator`."""

Precision = Annotated[
    str, typer.Option(help="auto, fp32, bf16 or fp16; auto takes bf16 if the device has fast instructions for it.")
]
Segment = Annotated[
    float | None,
    typer.Option(help="Length of a segment in seconds.", show_default="the model's"),
]
Overlap = Annotated[
    float | None,
    typer.Option(
        help="Fraction of a segment that it shares with the next, 0 to 0.95.", show_default="the model's, 0.1"
    ),
]
Shifts = Annotated[
    int, typer.Option(help="Average the stems over N random shifts in time, which takes N times as long.", metavar="N")
]
Seed = Annotated[int, typer.Option(help="Seed of the random shifts.")]
DrumKit = Annotated[
    bool,
    typer.Option("--drum-kit", help="Also write the parts of the drums: drums/kick, snare, toms, hihat and cymbals."),
]
Stems = Annotated[
    str | None,
    typer.Option(
        help="Write only these stems, for example drums,bass.",
        show_default="all",
        metavar="STEMS",
        autocompletion=completion.stems,
    ),
]
TwoStems = Annotated[
    str | None,
    typer.Option(
        metavar="STEM",
        help="Write STEM and the rest of the song, no_STEM; instrumental writes the song without vocals, and vocals.",
        autocompletion=completion.stems,
    ),
]
OtherMethod = Annotated[
    str,
    typer.Option(
        help="How the rest is computed: add (sum of the other stems), minus (song minus STEM), none (not written)."
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="File format: wav, flac, mp3, ogg, opus, m4a or stem.mp4.",
        show_default="wav",
        autocompletion=completion.formats,
    ),
]
Depth = Annotated[
    str | None,
    typer.Option(help="Sample format of wav, flac and stem.mp4: int16, int24 or float32.", show_default="the song's"),
]
Bitrate = Annotated[
    int | None,
    typer.Option(
        help="Bit rate in kbit/s (mp3 320, ogg 256, opus 160, m4a and stem.mp4 256).", show_default="by format"
    ),
]
Rate = Annotated[int | None, typer.Option(help="Sample rate of the stems, Hz.", show_default="the song's")]
ClipMode = Annotated[
    str | None,
    typer.Option(
        help="Treatment of stems that exceed full scale: rescale (one gain for all), clamp, limit, none.",
        show_default="rescale; clamp to standard output; none for float32",
    ),
]
Tags = Annotated[bool, typer.Option("--tags/--no-tags", help="Copy title, artist, cover and other tags to the stems.")]
Jobs = Annotated[int, typer.Option("-j", "--jobs", min=1, help="Songs that are separated at the same time.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for each song.")]
Weights = Annotated[
    str | None,
    typer.Option(
        help="Weights of several models in their average, for example 2,1.", show_default="equal", metavar="NUMBERS"
    ),
]
Mp3 = Annotated[bool, typer.Option("--mp3", help="Same as --format mp3.")]
Flac = Annotated[bool, typer.Option("--flac", help="Same as --format flac.")]
Float32 = Annotated[bool, typer.Option("--float32", help="Same as --depth float32.")]


def model_names(text: str | None) -> list[str]:
    """`a,b` as two models, unless there is a file of that name; the shipped default where the option was not given.

    Raises `OptionError` where none is named.
    """
    if text is None:
        return [DEFAULT_MODEL]
    names = [text] if text and file_identity(Path(text)) else [name for name in text.split(",") if name]
    if not names:
        raise OptionError(f"--name '{text}': give the name of a model, or several with commas between them")
    return names


def format_of(name: str | None, mp3: bool, flac: bool) -> str:
    """The one format that was named, in one of the three ways; raises `OptionError` where they differ."""
    named = {*([name.lower()] if name is not None else []), *(["mp3"] if mp3 else []), *(["flac"] if flac else [])}
    if len(named) > 1:
        raise OptionError("--format, --mp3 and --flac exclude each other: use one of them")
    return named.pop() if named else "wav"


def numbers(text: str | None) -> list[float] | None:
    """`2,1` as two numbers; raises `OptionError` for other text."""
    try:
        return None if text is None else [float(number) for number in text.split(",")]
    except ValueError:
        raise OptionError(f"--weights {text}: it takes numbers with commas between them, as 2,1") from None
