"""Global signal-to-distortion ratio, the score of the music demixing challenges.

    SDR = 10 log10( sum_{c,t} s^2 / sum_{c,t} (s - s_hat)^2 )   [dB]

One number for a whole song and stem: no frames, no allowed filters. An estimate of silence scores 0 dB.
Source: Mitsufuji et al., "Music Demixing Challenge 2021", 2022, eq. 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_FLOOR = 1e-10
"""Energy added to both sums: a perfect estimate scores a large finite value instead of infinity."""


def global_sdr(reference: ArrayLike, estimate: ArrayLike) -> NDArray[np.float64]:
    """Score `estimate` against `reference`, arrays or CPU tensors, both `(..., C, T)`; returns dB, `(...)`.

    A silent reference has no defined score: the result is NaN there, for the caller to leave out
    (`numpy.nanmedian`). Sums are taken in float64.
    """
    truth = np.asarray(reference, np.float64)
    signal = np.square(truth).sum(axis=(-2, -1))
    error = np.square(truth - np.asarray(estimate, np.float64)).sum(axis=(-2, -1))
    score = 10 * np.log10((signal + _FLOOR) / (error + _FLOOR))
    return np.where(signal == 0, np.nan, score)
