"""Stems to files."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from htdemucs_n.audio import write_wav
from htdemucs_n.errors import UserError


def two_stems(stems: dict[str, Tensor], stem: str) -> dict[str, Tensor]:
    """Keep `stem` and add up all others as `no_<stem>`, each `(C, T)`: karaoke, or a song without its drums.

    Raises:
        UserError: no such stem.
    """
    if stem not in stems:
        raise UserError(f"the model has no stem '{stem}': choose one of {', '.join(stems)}")
    rest = [samples for name, samples in stems.items() if name != stem]
    return {stem: stems[stem], f"no_{stem}": sum(rest[1:], start=rest[0])}


def write_stems(stems: dict[str, Tensor], folder: Path, sample_rate: int, float32: bool = False) -> float:
    """Write every stem `(C, T)` as `<folder>/<stem>.wav`, 16-bit or float32.

    16-bit files end at full scale. When a stem goes beyond it, ONE gain brings all stems of the song down, so
    that they still add up to the (equally scaled) mixture.

    Returns:
        The gain: 1.0 when nothing was scaled.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    peak = max(float(samples.abs().max()) for samples in stems.values())
    gain = 1.0 if float32 else 1.0 / max(1.0, peak)
    for name, samples in stems.items():
        write_wav(folder / f"{name}.wav", (samples * gain).numpy(), sample_rate, float32)
    return gain
