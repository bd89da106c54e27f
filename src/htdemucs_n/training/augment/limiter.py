"""A limiter on the mixture, as in the mastering of most songs (LimitAug: Jeon et al., 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from htdemucs_n.training.limits import Limits, Share

_BLOCK = 64
"""Samples between two values of the gain, 1.5 ms."""

_REACH = 33
"""Blocks over which the gain falls and rises, 48 ms."""


@dataclass(frozen=True)
class Limiter:
    """Peaks of the mixture are held down by a number of dB drawn from the range `db`."""

    probability: Share = 0.0
    db: Annotated[tuple[float, float], Limits(0, 60, pair=True)] = (1.0, 9.0)

    def __call__(self, audio: Tensor, random: np.random.Generator, sample_rate: int) -> Tensor:
        """The recordings of an item `(S, C, T)`, all with the gain that their sum needs."""
        mixture = audio.sum(dim=0)
        ceiling = mixture.abs().max() * 10 ** (-random.uniform(*self.db) / 20)
        return audio * limiting_gain(mixture, float(ceiling))


def limiting_gain(mixture: Tensor, ceiling: float) -> Tensor:
    """The gain `(T,)` with which no block of `(C, T)` is louder than `ceiling` by more than its smoothing leaves.

    It looks ahead: the lowest gain of a neighbourhood is spread over it and then averaged, so that it has reached its
    value when the peak comes.
    """
    length = mixture.shape[-1]
    peaks = F.max_pool1d(mixture.abs().amax(dim=0)[None], _BLOCK, ceil_mode=True)  # (1, blocks)
    gain = (ceiling / peaks.clamp_min(1e-8)).clamp_max(1)
    half = _REACH // 2
    # One block more than is averaged, so that the gain between two blocks is low enough as well.
    edge = 2 * half + 1
    lowest = -F.max_pool1d(-F.pad(gain, (edge, edge), value=1.0), _REACH + 2, stride=1)
    smooth = F.avg_pool1d(lowest, _REACH, stride=1)
    return torch.nn.functional.interpolate(smooth[None], size=length, mode="linear", align_corners=False)[0, 0]
