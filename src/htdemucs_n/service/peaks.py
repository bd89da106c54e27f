"""The outline of a file of audio, as a page draws it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio import open_audio

POINTS = 2000
"""Of an outline."""

_FINE = 1024
"""Samples whose extremes are kept while the file is read."""


def outline(path: Path) -> bytes:
    """The lowest and the highest sample of `POINTS` equal parts of a file, over its channels: int8, full scale 127.

    Shape: `(POINTS, 2)`.

    Raises:
        UserError: the file cannot be read.
    """
    extremes: list[NDArray[np.float32]] = []
    held = np.empty((0, 0), np.float32)
    with open_audio(path) as audio:
        for block in audio.blocks():
            held = np.concatenate([held, block], axis=1) if held.size else block
            whole = held.shape[1] - held.shape[1] % _FINE
            if whole:
                extremes.append(_extremes(held[:, :whole].reshape(len(held), -1, _FINE)))
            held = held[:, whole:]
    if held.size:
        extremes.append(_extremes(held[:, None, :]))
    fine = np.concatenate(extremes) if extremes else np.zeros((1, 2), np.float32)
    edges = np.arange(POINTS) * len(fine) // POINTS
    low, high = np.minimum.reduceat(fine[:, 0], edges), np.maximum.reduceat(fine[:, 1], edges)
    return np.rint(127 * np.stack([low, high], axis=1)).clip(-127, 127).astype(np.int8).tobytes()


def _extremes(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The lowest and highest sample `(n, 2)` of blocks `(C, n, samples)`."""
    return np.stack([blocks.min(axis=(0, 2)), blocks.max(axis=(0, 2))], axis=1)
