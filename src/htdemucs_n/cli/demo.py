"""`htdemucs-n demo`: separates the song that comes with the package and scores the stems: a check of an install."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htdemucs_n.cli.options import Device, EngineName, ModelName
from htdemucs_n.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the audio and the picture.")] = Path("demo"),
    name: ModelName = None,
    engine: EngineName = "auto",
    device: Device = "auto",
) -> None:
    """Separate twelve seconds of a song that comes with the package, and compare the stems with the true ones.

    It writes mixture.wav, truth/<stem>.wav, estimate/<stem>.wav and, if matplotlib is installed, demo.png with the
    spectrograms side by side.
    """
    import time

    import numpy as np
    from rich.console import Console

    from htdemucs_n.audio import make_folder, write_wav
    from htdemucs_n.demo import demo_song
    from htdemucs_n.evaluation.sdr import global_sdr
    from htdemucs_n.plots import require_matplotlib
    from htdemucs_n.separation import Separator

    separator = Separator(name, engine=engine, device=device)
    song = demo_song()
    rate = song["drums"].sample_rate
    truth = {stem: audio.samples for stem, audio in song.items()}
    if set(separator.sources) != set(truth):
        raise UserError(
            f"this model separates {', '.join(separator.sources)}: the demo takes one that separates {', '.join(truth)}"
        )
    make_folder(out)  # before the work, not after it, if the folder cannot be written
    mixture = np.sum(list(truth.values()), axis=0)
    start = time.perf_counter()
    estimate = separator.separate(mixture, rate)
    elapsed = time.perf_counter() - start

    scores = {stem: float(global_sdr(truth[stem], estimate[stem])) for stem in truth}
    unseparated = {stem: float(global_sdr(truth[stem], mixture)) for stem in truth}
    write_wav(out / "mixture.wav", mixture, rate, float32=True)
    for stem in truth:
        write_wav(out / "truth" / f"{stem}.wav", truth[stem], rate, float32=True)
        write_wav(out / "estimate" / f"{stem}.wav", estimate[stem], rate, float32=True)
    try:
        require_matplotlib("the picture demo.png")
    except UserError as error:
        typer.echo(f"note: {error}", err=True)
    else:
        from htdemucs_n.evaluation.picture import save_spectrograms

        save_spectrograms(out / "demo.png", truth, estimate, scores, rate)

    console = Console()
    console.print(_table(scores, unseparated))
    seconds = mixture.shape[-1] / rate
    runner = f"{separator.engine.name} on {separator.engine.device}"
    console.print(f"{seconds:.1f} s of song separated in {elapsed:.1f} s by {runner}", highlight=False)
    typer.echo(f"-> {out}")


def _table(scores: Mapping[str, float], unseparated: Mapping[str, float]) -> Table:
    """SDR of each stem in dB, beside what the mixture would score; the means leave silent stems out."""
    import numpy as np

    from htdemucs_n.tables import number_table

    table = number_table("SDR, dB (silence scores 0)", "stem", "separated", "mixture as it is")
    for stem, score in scores.items():
        table.add_row(stem, f"{score:.2f}", f"{unseparated[stem]:.2f}")
    table.add_section()
    table.add_row("mean", f"{np.nanmean(list(scores.values())):.2f}", f"{np.nanmean(list(unseparated.values())):.2f}")
    return table
