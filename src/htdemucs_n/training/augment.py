"""What changes a crop, on whatever device it lies."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from htdemucs_n.training.config import AugmentConfig


def change_speed(audio: Tensor, length: int) -> Tensor:
    """Play `(..., T)` faster or slower so that it lasts `length` samples; pitch moves with it.

    Band-limited: the spectrum of the whole crop is cut or zero-padded, which is exact for a periodic
    signal; the wrap-around at the ends of a crop is no worse than the cut that made it.
    """
    if audio.shape[-1] == length:
        return audio
    spectrum = torch.fft.rfft(audio.float())
    return torch.fft.irfft(spectrum, n=length) * (length / audio.shape[-1])


def draw_speed(random: np.random.Generator, config: AugmentConfig) -> float:
    """A speed factor, log-uniform in `speed_range`, or 1."""
    if random.random() >= config.speed:
        return 1.0
    low, high = np.log(config.speed_range)
    return float(np.exp(random.uniform(low, high)))


def augment_stems(stems: Tensor, random: np.random.Generator, config: AugmentConfig) -> Tensor:
    """Gain, channel swap, sign flip and silence, drawn for each stem of each item: `(B, S, C, T)` -> the same shape."""
    batch, sources, channels, _ = stems.shape
    gain = 10 ** (random.uniform(*config.gain_db, size=(batch, sources)) / 20)
    gain *= np.where(random.random((batch, sources)) < config.sign, -1.0, 1.0)
    gain *= random.random((batch, sources)) >= config.silence
    stems = stems * torch.as_tensor(gain, dtype=stems.dtype, device=stems.device)[:, :, None, None]
    if channels == 2:
        swap = torch.as_tensor(random.random((batch, sources)) < config.swap, device=stems.device)
        stems = torch.where(swap[:, :, None, None], stems.flip(2), stems)
    return stems
