"""A stem as mono pieces, each with the samples around it, so that a song of any length fits in memory."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio.read import open_audio
from htdemucs_n.audio.resample import resample_blocks
from htdemucs_n.audio.stream import checked_blocks

RATE = 22050
"""Hz. Of the pieces: the overtones that pitch and onsets are found by lie below 11 kHz."""

FRAME = 512
"""Samples from one value of the pitch to the next."""

PIECE = 864 * FRAME
"""Samples of a piece, 20 s; the last one of a stem has fewer, a multiple of `FRAME`."""

MARGIN = 48 * FRAME
"""Samples before and after a piece, 1.1 s: what is computed of a piece then does not depend on where it was cut."""


def mono_pieces(path: Path) -> Generator[NDArray[np.float32], None, None]:
    """The pieces of a file at `RATE`, `(MARGIN + PIECE + MARGIN,)`; zeros stand before its beginning and after its end.

    Raises:
        AudioError: the file cannot be read.
    """
    kept = np.zeros(MARGIN, np.float32)
    with open_audio(path) as stream:
        mono = (block.mean(axis=0, keepdims=True) for block in checked_blocks(stream, path))
        for block in resample_blocks(mono, stream.sample_rate, RATE):
            kept = np.concatenate([kept, block[0]])
            while len(kept) >= MARGIN + PIECE + MARGIN:
                yield kept[: MARGIN + PIECE + MARGIN]
                kept = kept[PIECE:]
    while len(kept) > MARGIN:
        rest = -(-min(PIECE, len(kept) - MARGIN) // FRAME) * FRAME
        yield np.pad(kept, (0, max(0, MARGIN + rest + MARGIN - len(kept))))[: MARGIN + rest + MARGIN]
        kept = kept[PIECE:]


def without_margins(values: NDArray[np.float64], hop: int) -> NDArray[np.float64]:
    """Values `(frames,)` of a piece, one around every `hop`-th sample, without those of the margins."""
    return values[MARGIN // hop : -MARGIN // hop - 1]
