"""Changes of speed and pitch.

Filters work in the frequency domain on whole crops, so a crop wraps round at its ends, which is no worse than the cut
that made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from htdemucs_n.training.limits import Limits, Share

_STRETCH_WINDOW = 2048
"""Samples, 46 ms: two periods of the lowest bass, and short enough not to repeat a snare."""


@dataclass(frozen=True)
class Speed:
    """Playing faster or slower by a factor drawn from `range`, evenly in octaves; the pitch moves along."""

    probability: Share = 0.5
    range: Annotated[tuple[float, float], Limits(0.25, 4, pair=True)] = (0.84, 1.19)

    def draw(self, random: np.random.Generator) -> float:
        """A factor, 1 where the speed stays."""
        if random.random() >= self.probability:
            return 1.0
        low, high = np.log(self.range)
        return float(np.exp(random.uniform(low, high)))


@dataclass(frozen=True)
class Pitch:
    """A change of pitch at the same tempo, drawn uniformly from the range `semitones`."""

    probability: Share = 0.0
    semitones: Annotated[tuple[float, float], Limits(-24, 24, pair=True)] = (-2.0, 2.0)

    def draw(self, random: np.random.Generator) -> float:
        """Semitones, 0 where the pitch stays."""
        chosen, semitones = random.random() < self.probability, random.uniform(*self.semitones)
        return float(semitones) if chosen else 0.0


def resampled(audio: Tensor, length: int) -> Tensor:
    """Play `(..., T)` faster or slower so that it lasts `length` samples; pitch moves with it.

    Band-limited: the spectrum of the whole crop is cut or zero-padded, which is exact for a periodic
    signal; the wrap-around at the ends of a crop is no worse than the cut that made it.
    """
    if audio.shape[-1] == length:
        return audio
    spectrum = torch.fft.rfft(audio.float())
    return torch.fft.irfft(spectrum, n=length) * (length / audio.shape[-1])


def shift_pitch(audio: Tensor, semitones: float) -> Tensor:
    """`(C, T)` higher or lower at its own tempo: stretched, then played that much faster."""
    length = audio.shape[-1]
    return resampled(stretched(audio, round(length * 2 ** (semitones / 12))), length)


def stretched(audio: Tensor, length: int) -> Tensor:
    """`(C, T)` made to last `length` samples, T / 4 or more, at its own pitch (WSOLA, Verhelst and Roelands, 1993).

    Windows are overlapped and added at a fixed hop. Each is taken from near its nominal place in the input, within
    12 ms, where the input correlates most with the continuation of the window before it. All channels share the place.
    """
    reach, hop = _STRETCH_WINDOW // 4, _STRETCH_WINDOW // 2
    window = torch.hann_window(_STRETCH_WINDOW, device=audio.device)
    slower = length / audio.shape[-1]
    count = -(-length // hop) + 1
    padded = F.pad(audio, (hop + reach, 2 * _STRETCH_WINDOW + reach + hop))
    mono = padded.mean(dim=0)
    power = F.pad(mono.double().square().cumsum(dim=0), (1, 0))
    out = audio.new_zeros(audio.shape[0], (count + 1) * hop)
    place = reach
    for number in range(count):
        if number:
            first = round(number * hop / slower)  # of the places that are searched; the middle one would be exact
            follows = torch.fft.rfft(mono[place + hop : place + hop + _STRETCH_WINDOW], 2 * _STRETCH_WINDOW)
            around = torch.fft.rfft(mono[first : first + _STRETCH_WINDOW + 2 * reach], 2 * _STRETCH_WINDOW)
            likeness = torch.fft.irfft(around * follows.conj())[: 2 * reach + 1]
            ends = power[first + _STRETCH_WINDOW : first + _STRETCH_WINDOW + 2 * reach + 1]
            energy = ends - power[first : first + 2 * reach + 1]
            place = first + int((likeness / energy.clamp_min(1e-9).sqrt()).argmax())
        out[:, number * hop : number * hop + _STRETCH_WINDOW] += padded[:, place : place + _STRETCH_WINDOW] * window
    return out[:, hop : hop + length]
