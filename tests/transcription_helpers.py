"""Stems of known notes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio import write_wav

RATE = 44100


def sound(pitch: NDArray[np.float64], loud: NDArray[np.float64] | float = 0.2) -> NDArray[np.float32]:
    """A tone of five harmonics, mono `(1, T)`, with a MIDI pitch for each sample."""
    phase = 2 * np.pi * np.cumsum(440 * 2 ** ((pitch - 69) / 12)) / RATE
    return (loud * sum(np.sin(n * phase) / n for n in range(1, 6)))[None].astype(np.float32)


def played(notes: Iterable[tuple[float, float, int, float]], seconds: float) -> NDArray[np.float32]:
    """Notes of start, end, pitch and level, `(1, T)`, with attacks and releases of 5 ms."""
    line = np.zeros((1, round(seconds * RATE)), np.float32)
    for start, end, pitch, level in notes:
        first, last = round(start * RATE), round(end * RATE)
        ends = np.minimum(np.arange(last - first), np.arange(last - first)[::-1]) / (0.005 * RATE)
        line[:, first:last] += sound(np.full(last - first, float(pitch)), level * np.minimum(1, ends))
    return line


def clicks(times: Iterable[float], seconds: float) -> NDArray[np.float32]:
    """Short bursts of noise, `(1, T)`."""
    line = np.zeros((1, round(seconds * RATE)), np.float32)
    burst = np.random.default_rng(0).uniform(-0.5, 0.5, 800) * np.linspace(1, 0, 800)
    for time in times:
        first = round(time * RATE)
        line[0, first : first + 800] += burst[: line.shape[1] - first].astype(np.float32)
    return line


def stem(folder: Path, name: str, samples: NDArray[np.float32]) -> dict[str, Path]:
    """The file of a stem, by its name."""
    write_wav(folder / f"{name}.wav", samples, RATE)
    return {name: folder / f"{name}.wav"}
