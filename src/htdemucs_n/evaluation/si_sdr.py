"""Scale-invariant signal-to-distortion ratio::

    alpha = <s, s_hat> / <s, s>,   SI-SDR = 10 log10( |alpha s|^2 / |alpha s - s_hat|^2 )   [dB]

Inner products run over both channels and the whole song; no mean is taken out. Any gain of the estimate scores the
same, a gain of one channel alone does not. Source: Le Roux, Wisdom, Erdogan, Hershey, "SDR: half-baked or well done?",
ICASSP 2019, eq. 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

_FLOOR = 1e-10
"""Energy added to both sums, as a share of the larger: scores stay within -100 and 100 dB."""


def si_sdr(reference: Tensor, estimate: Tensor) -> Tensor:
    """Score `estimate` against `reference`, both `(..., C, T)`; returns dB, `(...)`.

    NaN where the reference or the estimate is silent: the score is not defined there. Sums are taken in float64.
    """
    reference, estimate = reference.double(), estimate.double()
    energy = reference.square().sum(dim=(-2, -1))
    alpha = (reference * estimate).sum(dim=(-2, -1)) / energy
    target = alpha[..., None, None] * reference
    signal, error = (x.square().sum(dim=(-2, -1)) for x in (target, target - estimate))
    floor = _FLOOR * torch.maximum(signal, error)
    score = 10 * torch.log10((signal + floor) / (error + floor))
    return score.masked_fill((energy == 0) | (estimate.square().sum(dim=(-2, -1)) == 0), torch.nan)
