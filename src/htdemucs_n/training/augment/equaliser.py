"""A random tone curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from htdemucs_n.training.limits import Limits, Share

_POINTS = 6
_LOWEST, _HIGHEST = 60.0, 16000.0
"""Hz between which the points of a curve lie, evenly in octaves."""


@dataclass(frozen=True)
class Equaliser:
    """A smooth curve through random gains of up to `db` dB either way."""

    probability: Share = 0.0
    db: Annotated[float, Limits(0, 60)] = 6.0

    def __call__(self, audio: Tensor, random: np.random.Generator, sample_rate: int) -> Tensor:
        """`(C, T)` with another tone."""
        return equalise(audio, random.uniform(-self.db, self.db, _POINTS).tolist(), sample_rate)


def equalise(audio: Tensor, gains_db: Sequence[float], sample_rate: int) -> Tensor:
    """Scale the spectrum of `(..., T)` along a curve through `gains_db`, with no change of phase.

    The points lie evenly in octaves from 60 Hz to 16 kHz; between them dB run straight, outside they stay level.
    """
    frequencies = torch.fft.rfftfreq(audio.shape[-1], 1 / sample_rate, device=audio.device).clamp_min(1.0)
    place = torch.log(frequencies / _LOWEST) / math.log(_HIGHEST / _LOWEST) * (len(gains_db) - 1)
    place = place.clamp(0, len(gains_db) - 1)
    points = torch.tensor(gains_db, dtype=torch.float32, device=audio.device)
    left = place.floor().long().clamp_max(max(0, len(gains_db) - 2))
    curve = torch.lerp(points[left], points[(left + 1).clamp_max(len(gains_db) - 1)], place - left)
    return torch.fft.irfft(torch.fft.rfft(audio) * 10 ** (curve / 20), n=audio.shape[-1])
