"""Log-spectral distance: how far two spectrograms are apart in dB, whatever their phases.

    LSD = mean over frames t and channels of sqrt( mean over bins f of (L[f, t] - L_hat[f, t])^2 )   [dB]
    L = 10 log10(max(|S|^2, floor))

Frames of 2048 samples, hop 512, Hann window, the first centred on the first sample. The floor lies 80 dB under the
loudest bin of the reference, for both: what is inaudible counts as equal. Lower is better; 0 is a perfect spectrogram.
Source: Gray, Markel, "Distance measures for speech processing", IEEE Trans. ASSP 24(5), 1976.
"""

from __future__ import annotations

import torch
from torch import Tensor

_N_FFT, _HOP = 2048, 512
_RANGE = 1e-8
"""Floor under the loudest bin of the reference, power."""

_BLOCK = 2**20
"""Samples transformed at once, a multiple of the hop."""


def log_spectral_distance(reference: Tensor, estimate: Tensor) -> float:
    """Distance of `estimate` from `reference`, both `(C, T)`, in dB. NaN for a silent reference: it has no floor."""
    floor = max(float(_power(block).max()) for block in _blocks(reference)) * _RANGE
    if not floor:
        return float("nan")
    total, frames = 0.0, 0
    for true, guess in zip(_blocks(reference), _blocks(estimate), strict=True):
        levels = [10 * torch.log10(_power(x).clamp(min=floor)) for x in (true, guess)]
        distance = (levels[0] - levels[1]).square().mean(dim=-2).sqrt()  # (C, frames)
        total += float(distance.sum(dtype=torch.float64))
        frames += distance.numel()
    return total / frames


def _blocks(samples: Tensor) -> list[Tensor]:
    """Pieces `(C, n)` whose frames, hop apart, together are those of the whole: memory does not grow with the song."""
    padded = torch.nn.functional.pad(samples, (_N_FFT // 2, _N_FFT // 2))
    starts = range(0, samples.shape[-1] + 1, _BLOCK)
    return [padded[:, start : start + _BLOCK + _N_FFT - _HOP] for start in starts]


def _power(samples: Tensor) -> Tensor:
    """Power spectrogram of `(C, T)`, unpadded: `(C, bins, frames)`."""
    window = torch.hann_window(_N_FFT, dtype=samples.dtype)
    return torch.stft(samples, _N_FFT, _HOP, window=window, center=False, return_complex=True).abs().square()
