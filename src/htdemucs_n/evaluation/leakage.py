"""Leaked energy: the energy of an estimate of a stem that is silent, where no ratio to the reference is defined.

leak = 10 log10( sum s_hat^2 / sum mixture^2 )   [dB of the mixture]
"""

from __future__ import annotations

import torch
from torch import Tensor

_FLOOR_DB = -120.0
"""In place of minus infinity, for no leak at all."""


def leaked_energy(estimate: Tensor, mixture: Tensor) -> float:
    """Energy of `estimate` over that of `mixture`, both `(C, T)`, in dB, at least -120. Lower is better.

    NaN for a silent mixture. Sums are taken in float64.
    """
    energy = float(mixture.double().square().sum())
    if not energy:
        return float("nan")
    share = float(estimate.double().square().sum()) / energy
    return max(_FLOOR_DB, 10 * float(torch.log10(torch.tensor(share, dtype=torch.float64))))
