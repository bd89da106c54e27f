"""Change the sample rate with libsoxr, at its very high quality setting (linear phase, 28-bit precision).

A stream of blocks gives the same samples, bit for bit, as the whole signal at once, however it is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr
from numpy.typing import NDArray

_QUALITY = "VHQ"

DELAY = 2048
"""Samples, at the lower of the two rates, that `resample_blocks` lags behind its input at most."""


def resample(
    samples: NDArray[np.float32], old_rate: int, new_rate: int, length: int | None = None
) -> NDArray[np.float32]:
    """Resample `(C, T)` from `old_rate` to `new_rate` (Hz) without delay.

    Shape: input `(C, T)`, output `(C, length)`; `length` is by default `T * new_rate / old_rate`, rounded, at
    least 1. The resampler's own output can be a sample off: it is cut, or continued with zeros.
    """
    if length is None:
        length = max(1, round(samples.shape[1] * new_rate / old_rate))
    if old_rate == new_rate:
        resampled = samples
    else:
        resampled = soxr.resample(np.ascontiguousarray(samples.T), old_rate, new_rate, quality=_QUALITY).T
    if (missing := length - resampled.shape[1]) > 0:
        resampled = np.pad(resampled, ((0, 0), (0, missing)))
    return np.ascontiguousarray(resampled[:, :length])


def resample_blocks(
    blocks: Iterable[NDArray[np.float32]], old_rate: int, new_rate: int
) -> Iterator[NDArray[np.float32]]:
    """Resample a stream of blocks `(C, n)` from `old_rate` to `new_rate` (Hz), n different for each or not.

    Together the blocks given back are as long as `resample`'s output, give or take a sample.
    """
    if old_rate == new_rate:
        yield from blocks
        return
    stream = None
    for block in blocks:
        if stream is None:
            stream = soxr.ResampleStream(old_rate, new_rate, len(block), dtype="float32", quality=_QUALITY)
        yield _transposed(stream.resample_chunk(_transposed(block)))
    if stream is not None:
        yield _transposed(stream.resample_chunk(np.zeros((0, len(block)), np.float32), last=True))


def _transposed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """soxr has channels in columns; the rows of either form are contiguous."""
    return np.ascontiguousarray(samples.T)
