"""The stems of a song added up as the faders of the page stand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field


class Fader(BaseModel):
    """How a stem is heard in a mix."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    volume: float = Field(default=1.0, ge=0, le=4, description="1 is as it was separated")
    pan: float = Field(default=0.0, ge=-1, le=1, description="-1 left, 1 right")


def mixed(stems: NDArray[np.float32], faders: Sequence[Fader]) -> NDArray[np.float32]:
    """Add up stems `(S, C, n)`, one fader for each, to `(2, n)`. Mono is on both sides."""
    total = np.zeros((2, stems.shape[2]), np.float32)
    for stem, fader in zip(stems, faders, strict=True):
        gains = (fader.volume * panned(fader.pan)).astype(np.float32)
        total += gains @ np.broadcast_to(stem, (2, stem.shape[1]))
    return total


def panned(pan: float) -> NDArray[np.float64]:
    """What goes from left and right (columns) to left and right (rows) at a pan from -1 to 1.

    With equal power, as `StereoPannerNode` does it. Source: Web Audio API, section 1.29.6.
    """
    angle = (pan + 1 if pan <= 0 else pan) * math.pi / 2
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[1.0, cos], [0.0, sin]] if pan <= 0 else [[cos, 0.0], [sin, 1.0]])
