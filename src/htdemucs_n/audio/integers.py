"""Samples of full scale 1.0 as integers, and how far integers reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 32768.0
"""What int16 samples are divided by: the scale of 16-bit files, whose samples are kept as they are."""


def to_integers(samples: NDArray[np.float32], bits: int) -> NDArray[np.signedinteger]:
    """Samples of full scale 1.0 as integers of 16 or 24 bits, rounded and cut off at full scale; any shape.

    16 bits come as int16, 24 bits in the lower part of int32. float32 holds 2^23 - 1, so no sample becomes 2^23.
    """
    scale = float(2 ** (bits - 1))
    return np.rint(samples * scale).clip(-scale, scale - 1).astype(np.int16 if bits == 16 else np.int32)
