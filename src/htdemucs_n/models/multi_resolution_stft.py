"""Idea 1, multi-resolution STFT: short windows for attacks, long ones for pitches, fused by learned weights.

A window of 512 samples (12 ms) resolves when a drum is hit; one of 4096 (93 ms) resolves the harmonics of a note.
These two, and two between, transform the same audio; all are mapped to one grid and mixed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from htdemucs_n.models.bands import BandSplit, Zones
from htdemucs_n.models.stft import STFT, real_pairs

_LOUDNESS = 1000.0
"""Magnitudes are compressed as log(1 + 1000 |X|) / log(1001): 60 dB below the mixture still counts 0.1."""


def phasor_features(pairs: Tensor) -> Tensor:
    """Log magnitude and unit phasor of a spectrum: `(B, C, frames, bins, 2)` -> `(B, 3C, frames, bins)`.

    The phase goes in as (cos, sin): an angle jumps at +-pi where the sound does not. Silence has phasor 0.
    """
    real, imaginary = pairs.unbind(-1)  # the root written out is twice as fast as abs() on a CPU
    magnitude = (real.square() + imaginary.square()).sqrt()
    loudness = torch.log1p(_LOUDNESS * magnitude) / math.log1p(_LOUDNESS)
    shrink = (magnitude + 1e-6).reciprocal()
    return torch.cat([loudness, real * shrink, imaginary * shrink], dim=1)


class MultiResolutionSTFT(nn.Module):
    """STFTs of several window lengths in parallel; no parameters.

    Shape: audio `(B, C, T)`, T a multiple of 1024 -> a list, one entry a window length, of
    log magnitudes and unit phasors `(B, 3C, T / (n_fft/4), n_fft/2)`.
    """

    def __init__(self, n_ffts: Sequence[int] = (512, 1024, 2048, 4096)) -> None:
        super().__init__()
        self.stfts = nn.ModuleList(STFT(n_fft) for n_fft in n_ffts)

    def forward(self, audio: Tensor) -> list[Tensor]:
        """Features of `(B, C, T)`, one tensor a resolution."""
        return [phasor_features(real_pairs(stft(audio))) for stft in self.stfts]


class MultiResolutionEncoder(nn.Module):
    """A processor a resolution, all on one grid, mixed by softmaxed weights that start equal.

    `fusion_method`: `attention` scales each resolution by its weight before they are concatenated,
    `concat` leaves the weights out, `add` sums the resolutions.

    Shape: list of `(B, 3C, frames * 4096/n_fft, n_fft/2)` -> `(B, output_channels, bands, frames)`.
    """

    def __init__(
        self,
        input_channels: int,
        output_channels: int = 64,
        n_ffts: Sequence[int] = (512, 1024, 2048, 4096),
        zones: Zones = ((64, 8), (48, 32)),
        fusion_method: str = "attention",
    ) -> None:
        super().__init__()
        hidden = 3 * output_channels // 8
        self.processors = nn.ModuleList(
            nn.Sequential(
                BandSplit(zones, n_fft, input_channels, hidden),
                nn.ReLU(),
                nn.Conv2d(hidden, output_channels, 3, padding=1),
                nn.ReLU(),
            )
            for n_fft in n_ffts
        )
        self.fusion_method = fusion_method
        if fusion_method == "attention":
            self.resolution_logits = nn.Parameter(torch.zeros(len(n_ffts)))
        concatenated = output_channels if fusion_method == "add" else output_channels * len(n_ffts)
        self.fusion = nn.Sequential(
            nn.Conv2d(concatenated, output_channels, 1),
            nn.ReLU(),
            nn.Conv2d(output_channels, output_channels, 3, padding=1),
        )

    def forward(self, resolutions: list[Tensor]) -> Tensor:
        """Fuse the list of features to `(B, output_channels, bands, frames)`."""
        grids = [processor(x) for processor, x in zip(self.processors, resolutions, strict=True)]
        if self.fusion_method == "add":
            return self.fusion(torch.stack(grids).sum(dim=0))
        if self.fusion_method == "attention":
            # Times the count, so that equal weights leave the features at the scale they came in.
            weights = self.resolution_logits.softmax(dim=0) * len(grids)
            grids = [weight * grid for weight, grid in zip(weights.unbind(), grids, strict=True)]
        return self.fusion(torch.cat(grids, dim=1))
