"""The common grid: every spectrum becomes `(B, channels, bands, frames)`, one frame every 1024 samples.

Convolving four spectrograms at full resolution costs several hundred GFLOPs a segment. Here a patch of each
(the bins of a band, by the frames within 1024 samples) is mapped by one matrix to a vector. Every band has its
own matrix, as in the band-split network of Luo and Yu (2023): a bass band and a cymbal band need not
share features, and a shared convolution needs no position on the frequency axis.

Bands are laid out in zones of equal width, `(bands, bins a band)` from low to high, counted in bins of
the 4096 STFT. A shorter STFT has as many times fewer bins as it has more frames, so a patch always
holds the same number of values.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from htdemucs_n.models.config import N_FFT

Zones = tuple[tuple[int, int], ...]


class BandSplit(nn.Module):
    """Spectral features of one STFT to the common grid, a linear map a band.

    Shape: `(B, C, frames * 4096/n_fft, n_fft/2)` -> `(B, out_channels, bands, frames)`.
    """

    def __init__(self, zones: Zones, n_fft: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.zones = zones
        self.frames_per_step = N_FFT // n_fft
        self.weights = nn.ParameterList(_band_weight(n, in_channels * k, out_channels) for n, k in zones)
        self.bias = nn.Parameter(torch.zeros(sum(n for n, _ in zones), 1, out_channels))

    def forward(self, features: Tensor) -> Tensor:
        """Map `(B, C, frames * r, n_fft/2)` to `(B, out_channels, bands, frames)`, r = 4096 / n_fft."""
        return self.by_band(features).permute(1, 3, 0, 2)

    def by_band(self, features: Tensor) -> Tensor:
        """The same values as the matrices leave them: `(bands, B, frames, out_channels)`."""
        batch, channels, columns, _ = features.shape
        r = self.frames_per_step
        frames = columns // r
        mapped, start = [], 0
        for (n, k), weight in zip(self.zones, self.weights, strict=True):
            bins = k // r
            zone = features[..., start : start + n * bins]
            patches = zone.unflatten(3, (n, bins)).unflatten(2, (frames, r)).permute(4, 0, 2, 1, 3, 5)
            mapped.append(patches.reshape(n, batch * frames, channels * k) @ weight)
            start += n * bins
        return (torch.cat(mapped) + self.bias).unflatten(1, (batch, frames))


class BandMerge(nn.Module):
    """The grid back to the bins of the 4096 STFT as complex values, a linear map a band.

    Shape: `(B, C, bands, frames)` -> real and imaginary parts `(B, out_channels, 2048, frames, 2)`, float32.
    """

    def __init__(self, zones: Zones, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.zones = zones
        self.out_channels = out_channels
        self.weights = nn.ParameterList(_band_weight(n, in_channels, out_channels * k * 2) for n, k in zones)

    def forward(self, grid: Tensor) -> Tensor:
        """Map `(B, C, bands, frames)` to `(B, out_channels, 2048, frames, 2)`."""
        zones = [zone.permute(1, 3, 2, 0, 4, 5).flatten(3, 4) for zone in self.by_zone(grid.permute(2, 0, 3, 1))]
        return torch.cat(zones, dim=3).float().transpose(2, 3)

    def by_zone(self, tokens: Tensor) -> list[Tensor]:
        """The same values as the matrices leave them: a zone of n bands, k bins wide, `(n, B, frames, out, k, 2)`.

        Shape: tokens `(bands, B, frames, C)`, the grid in another order.
        """
        _, batch, frames, channels = tokens.shape
        mapped, start = [], 0
        for (n, k), weight in zip(self.zones, self.weights, strict=True):
            zone = tokens[start : start + n].reshape(n, batch * frames, channels)
            mapped.append((zone @ weight).reshape(n, batch, frames, self.out_channels, k, 2))
            start += n
        return mapped


def _band_weight(bands: int, fan_in: int, fan_out: int) -> nn.Parameter:
    """Uniform in +- 1/sqrt(fan_in), as torch initialises a linear layer; `(bands, fan_in, fan_out)`."""
    bound = 1 / math.sqrt(fan_in)
    return nn.Parameter(torch.empty(bands, fan_in, fan_out).uniform_(-bound, bound))
