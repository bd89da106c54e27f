"""Change the sample rate with libsoxr, at its very high quality setting (linear phase, 28-bit precision)."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray


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
        resampled = soxr.resample(np.ascontiguousarray(samples.T), old_rate, new_rate, quality="VHQ").T
    if (missing := length - resampled.shape[1]) > 0:
        resampled = np.pad(resampled, ((0, 0), (0, missing)))
    return np.ascontiguousarray(resampled[:, :length])
