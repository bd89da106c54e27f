"""A change of level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from torch import Tensor

from htdemucs_n.training.limits import Limits, Share


@dataclass(frozen=True)
class Gain:
    """A gain drawn uniformly from the range `db`, dB."""

    probability: Share = 1.0
    db: Annotated[tuple[float, float], Limits(-60, 60, pair=True)] = (-9.0, 4.0)

    def __call__(self, audio: Tensor, random: np.random.Generator, sample_rate: int) -> Tensor:
        """`(C, T)` at another level."""
        return audio * float(10 ** (random.uniform(*self.db) / 20))
