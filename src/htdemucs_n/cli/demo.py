"""`htdemucs-n demo`: makes a song, separates it and scores the stems; the check that an install works."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htdemucs_n.cli.options import Device, ModelName
from htdemucs_n.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the audio and the picture.")] = Path("demo"),
    name: ModelName = None,
    seed: Annotated[int, typer.Option(min=0, help="Which song: every seed has its own.")] = 0,
    seconds: Annotated[float, typer.Option(help="Length of the song.")] = 12.0,
    device: Device = "auto",
) -> None:
    """Make a short song from code alone, separate it, and compare the stems with the truth.

    Writes mixture.wav, truth/<stem>.wav, estimate/<stem>.wav and demo.png, the spectrograms side by side.
    """
    import time

    import torch
    from rich.console import Console

    from htdemucs_n.audio import make_folder, write_wav
    from htdemucs_n.demo.effects import SAMPLE_RATE
    from htdemucs_n.demo.song import make_song
    from htdemucs_n.evaluation.picture import save_spectrograms
    from htdemucs_n.evaluation.sdr import global_sdr
    from htdemucs_n.separation import Separator

    separator = Separator(name, device=device)
    truth = {stem: torch.from_numpy(track) for stem, track in make_song(seed, seconds).items()}
    if set(separator.sources) != set(truth):
        raise UserError(
            f"this model separates {', '.join(separator.sources)}: the demo takes one that separates {', '.join(truth)}"
        )
    make_folder(out)  # before the work, not after it, if the folder cannot be written
    mixture = torch.stack(list(truth.values())).sum(0)
    start = time.perf_counter()
    estimate = separator.separate(mixture, SAMPLE_RATE)
    elapsed = time.perf_counter() - start

    scores = {stem: float(global_sdr(truth[stem], estimate[stem])) for stem in truth}
    unseparated = {stem: float(global_sdr(truth[stem], mixture)) for stem in truth}
    write_wav(out / "mixture.wav", mixture.numpy(), SAMPLE_RATE, float32=True)
    for stem in truth:
        write_wav(out / "truth" / f"{stem}.wav", truth[stem].numpy(), SAMPLE_RATE, float32=True)
        write_wav(out / "estimate" / f"{stem}.wav", estimate[stem].numpy(), SAMPLE_RATE, float32=True)
    save_spectrograms(out / "demo.png", truth, estimate, scores, SAMPLE_RATE)

    console = Console()
    console.print(_table(scores, unseparated))
    console.print(f"{seconds:g} s of song separated in {elapsed:.1f} s on {separator.device}", highlight=False)
    typer.echo(f"-> {out}")


def _table(scores: Mapping[str, float], unseparated: Mapping[str, float]) -> Table:
    """SDR of each stem in dB, beside what the mixture would score; the means leave silent stems out."""
    import numpy as np
    from rich.table import Table

    table = Table(title="SDR, dB (silence scores 0)")
    table.add_column("stem")
    table.add_column("separated", justify="right")
    table.add_column("mixture as it is", justify="right")
    for stem, score in scores.items():
        table.add_row(stem, f"{score:.2f}", f"{unseparated[stem]:.2f}")
    table.add_section()
    table.add_row("mean", f"{np.nanmean(list(scores.values())):.2f}", f"{np.nanmean(list(unseparated.values())):.2f}")
    return table
