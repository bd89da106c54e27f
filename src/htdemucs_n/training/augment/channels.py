"""Effects that need no parameter: left and right swapped, the sign inverted, a stem silenced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from htdemucs_n.training.limits import Share


@dataclass(frozen=True)
class Swap:
    """Left and right change places."""

    probability: Share = 0.5

    def __call__(self, audio: Tensor, random: np.random.Generator, sample_rate: int) -> Tensor:
        """`(C, T)` with its channels in reverse order."""
        return audio.flip(0)


@dataclass(frozen=True)
class Polarity:
    """The sign of all samples is inverted."""

    probability: Share = 0.5

    def __call__(self, audio: Tensor, random: np.random.Generator, sample_rate: int) -> Tensor:
        """`(C, T)` times -1."""
        return -audio


@dataclass(frozen=True)
class Silence:
    """The stem is left out, as in a song that does not have it."""

    probability: Share = 0.06

    def __call__(self, audio: Tensor, random: np.random.Generator, sample_rate: int) -> Tensor:
        """Zeros `(C, T)`."""
        return torch.zeros_like(audio)
