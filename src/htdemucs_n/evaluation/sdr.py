"""Global signal-to-distortion ratio, the score of the music demixing challenges.

    SDR = 10 log10( sum_{c,t} s^2 / sum_{c,t} (s - s_hat)^2 )   [dB]

One number for a whole song and stem: no frames, no allowed filters. An estimate of silence scores 0 dB.
Source: Mitsufuji et al., "Music Demixing Challenge 2021", 2022, eq. 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

_FLOOR = 1e-10
"""Energy added to both sums: a perfect estimate scores a large finite value instead of infinity."""


def global_sdr(reference: Tensor, estimate: Tensor) -> Tensor:
    """Score `estimate` against `reference`, both `(..., C, T)`; returns dB, `(...)`.

    A silent reference has no defined score: the result is NaN there, for the caller to leave out
    (`torch.nanmedian`). Sums are taken in float64.
    """
    reference, estimate = reference.double(), estimate.double()
    signal = reference.square().sum(dim=(-2, -1))
    error = (reference - estimate).square().sum(dim=(-2, -1))
    score = 10 * torch.log10((signal + _FLOOR) / (error + _FLOOR))
    return score.masked_fill(signal == 0, torch.nan)
