"""The output of a decoder: an open file as blocks of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.errors import AudioError

BLOCK = 65536
"""Samples in a block that is read, at most."""

_LEAST_RATE, _GREATEST_RATE = 1000, 1_536_000
"""Hz."""


@dataclass(frozen=True, eq=False)
class Audio:
    """Decoded audio: `samples` `(C, T)`, float32, full scale 1.0, all finite; `sample_rate` in Hz.

    `speakers` are the names of the channels, as in `AudioStream`.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    speakers: tuple[str, ...] = ()


class AudioStream(Protocol):
    """An open audio file: the facts of its header, and its samples block by block."""

    sample_rate: int
    """Hz."""
    channels: int
    speakers: tuple[str, ...]
    """Where each channel belongs, by FFmpeg's names: FL, FR, FC, LFE, BL, BR, SL, SR, BC, ...; empty if not known."""
    length: int | None
    """Samples by the header; None where it has no reliable number."""
    depth: str | None
    """Of the samples in the file: `int16`, `int24`, `float32`; None for a lossy codec, which has none."""
    damaged: int
    """Places that could not be decoded and were left out, so far."""

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield blocks `(C, n)`, full scale 1.0, until nothing more can be decoded."""


def checked_blocks(stream: AudioStream, path: str | Path) -> Iterator[NDArray[np.float32]]:
    """The stream's blocks. Raises `AudioError` when there are none, or for samples that are NaN or infinite."""
    empty = True
    for block in stream.blocks():
        if not np.isfinite(block).all():
            raise AudioError(f"'{path}' contains NaN or infinite samples: export it again from its source")
        empty = empty and not block.shape[1]
        yield block
    if empty:
        raise AudioError(
            f"'{path}' contains no audio that can be read: it is cut short or not audio, get the file again"
        )


def check_rate(sample_rate: int, name: str | Path) -> None:
    """Raise `AudioError` for a rate that is a damaged header's, and would make the resampler run for hours."""
    if not _LEAST_RATE <= sample_rate <= _GREATEST_RATE:
        raise AudioError(f"'{name}' says that its sample rate is {sample_rate} Hz: its header is damaged")
