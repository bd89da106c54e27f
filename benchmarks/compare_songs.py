"""Compare made songs with real ones: statistics of each stem, and a picture of spectrograms.

    python benchmarks/compare_songs.py REAL MADE [--picture docs/training-data.png]

Both are folders of songs in stems. The statistics of a stem are its RMS, its crest factor (peak over RMS), its
width (side over middle), its tilt (a line fitted to the levels of the octaves from 62 Hz to 8 kHz), and the share of
its power in five bands, all in dB.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from htdemucs_n.audio import read_audio
from htdemucs_n.evaluation.picture import log_spectrogram

STEMS = ("drums", "bass", "other", "vocals")
OCTAVES = 62.5 * 2.0 ** np.arange(8)
BANDS = ((20, 120), (120, 500), (500, 2000), (2000, 8000), (8000, 16_000))
NAMES = ("RMS, dB", "crest, dB", "width, dB", "tilt, dB an octave", *(f"{a}-{b} Hz, dB" for a, b in BANDS))
FFT = 4096


def songs(folder: Path) -> list[Path]:
    """The folders of songs in `folder`."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def read(song: Path, stem: str) -> tuple[NDArray[np.float32], int] | None:
    """A stem `(2, T)` of a song and its rate in Hz; None where it is missing or silent."""
    files = sorted(song.glob(f"{stem}.*"))
    if not files:
        return None
    audio = read_audio(files[0])
    stereo = np.broadcast_to(audio.samples, (2, audio.samples.shape[1])) if len(audio.samples) == 1 else audio.samples
    return (stereo, audio.sample_rate) if np.sqrt(np.mean(stereo**2)) > 1e-4 else None


def facts(sound: NDArray[np.float32], rate: int) -> list[float]:
    """The statistics of a stem `(2, T)`, in the order of `NAMES`."""
    waves = torch.from_numpy(np.array(sound))
    frames = torch.stft(waves, FFT, FFT // 4, window=torch.hann_window(FFT), return_complex=True)
    spectrum = frames.abs().square().mean((0, 2)).numpy()
    frequency = np.arange(len(spectrum)) * rate / FFT

    def decibels(low: float, high: float) -> float:
        inside = (frequency >= low) & (frequency < high)
        return float(10 * np.log10(spectrum[inside].sum() / spectrum.sum() + 1e-9))

    level = float(np.sqrt(np.mean(sound**2)))
    middle, side = (sound[0] + sound[1]) / 2, (sound[0] - sound[1]) / 2
    octaves = [decibels(centre / 2**0.5, centre * 2**0.5) for centre in OCTAVES]
    return [
        20 * np.log10(level),
        20 * np.log10(float(np.abs(sound).max()) / level),
        10 * np.log10(float(np.mean(side**2)) / float(np.mean(middle**2) + 1e-12) + 1e-6),
        float(np.polyfit(np.arange(len(octaves)), octaves, 1)[0]),
        *(decibels(low, high) for low, high in BANDS),
    ]


def table(folder: Path, stem: str) -> NDArray[np.float64]:
    """The 10th, 50th and 90th percentile of each statistic over the songs, `(3, statistics)`."""
    rows = [facts(*found) for song in songs(folder) if (found := read(song, stem))]
    return np.percentile(np.array(rows), [10, 50, 90], axis=0) if rows else np.full((3, len(NAMES)), np.nan)


def sheet(real: Path, made: Path, rows: int, path: Path) -> None:
    """Draw six seconds of each stem of `rows` real songs and, below them, of as many made ones."""

    def chosen(folder: Path) -> list[Path]:
        complete = [song for song in songs(folder) if all(read(song, stem) for stem in STEMS)]
        return [complete[int(index)] for index in np.linspace(0, len(complete) - 1, rows)]

    listed = chosen(real) + chosen(made)
    heights = [1.0] * rows + [0.12] + [1.0] * rows
    figure, axes = plt.subplots(2 * rows + 1, 4, figsize=(10, 1.05 * (2 * rows + 0.1)), height_ratios=heights)
    for axis in axes.flat:
        axis.set_axis_off()
    for row, song in enumerate(listed):
        for column, stem in enumerate(STEMS):
            found = read(song, stem)
            assert found is not None
            sound, rate = found
            picture = log_spectrogram(sound[:, : 6 * rate], rate)[::2, ::3]
            axis = axes[row if row < rows else row + 1, column]
            axis.imshow(picture, origin="lower", aspect="auto", vmin=picture.max() - 80, cmap="magma")
            if row in (0, rows):
                axis.set_title(f"{'real' if row == 0 else 'made'}: {stem}", fontsize=8, pad=2)
    figure.subplots_adjust(0.005, 0.005, 0.995, 0.975, 0.02, 0.05)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=80)
    Image.open(buffer).convert("RGB").quantize(40).save(path, optimize=True)  # a third of the size


def main() -> None:
    """Print the table, and draw the picture if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path)
    parser.add_argument("made", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--rows", type=int, default=4)
    options = parser.parse_args()
    counts = [len(songs(folder)) for folder in (options.real, options.made)]
    print(f"| stem | | real, {counts[0]} songs | made, {counts[1]} songs |\n|---|---|---|---|")
    for stem in STEMS:
        columns = (table(options.real, stem), table(options.made, stem))
        for index, name in enumerate(NAMES):
            cells = (" / ".join(f"{value:.0f}" for value in column[:, index]) for column in columns)
            print(f"| {stem} | {name} | {' | '.join(cells)} |")
    if options.picture:
        sheet(options.real, options.made, options.rows, options.picture)


if __name__ == "__main__":
    main()
