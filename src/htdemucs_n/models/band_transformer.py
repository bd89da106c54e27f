"""A network of the spectrum alone: blocks along time and across bands, then a mask for each stem.

    audio -> STFT -> a matrix a band -> [ along frames -> feed-forward -> across bands -> feed-forward ] x blocks
                                                                                      |
    stems <- inverse STFT <- complex masks <- a matrix a band <- a hidden layer a stem <-+

Tokens are `(bands, B, frames, C)`, so that the frames of a band are a sequence in memory, the map across bands is one
product with a matrix, and the matrices of the bands read and write without a copy.

The weights of a block are shared by all bands and frames, as in the band-split networks of Luo and Yu (2023) and
Tong et al. (2024), so few parameters are trained on much data; differences between bands are learnt by the first and
last matrices and by the layer across bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from htdemucs_n.errors import ConfigError
from htdemucs_n.models.bands import BandMerge, BandSplit
from htdemucs_n.models.config import N_FFT, NetworkSizes, check_zones
from htdemucs_n.models.kinds import check_choice
from htdemucs_n.models.linear_attention import ATTENTION, SoftmaxAttention
from htdemucs_n.models.masked_synthesis import masked_synthesis
from htdemucs_n.models.network import SeparationNetwork
from htdemucs_n.models.stft import STFT, compressed, real_pairs


@dataclass(frozen=True)
class BandTransformerConfig(NetworkSizes):
    """Sizes and switches of `BandTransformer`.

    * `mask_n_fft`: window of the STFT that the masks multiply.
    * `band_channels`: width of a token, one for each band and frame.
    * `head_channels`: hidden width a stem before the masks.
    * `time_attention`: `linear` or `softmax`, over the frames of a band.
    """

    mask_n_fft: int = 4096
    band_zones: tuple[tuple[int, int], ...] = ((32, 4), (32, 8), (16, 16), (16, 88))
    band_channels: int = 64
    blocks: int = 5
    heads: int = 4
    dim_head: int = 16
    time_attention: str = "linear"
    time_kernel: int = 9
    band_kernel: int = 1
    band_mixer: str = "linear"
    band_mixer_width: int = 96
    ff_mult: int = 3
    head_channels: int = 96

    def _check(self) -> None:
        choices = {"time_attention": tuple(ATTENTION), "band_mixer": ("linear", "attention")}
        for key, allowed in choices.items():
            check_choice(key, getattr(self, key), allowed)
        for key in ("time_kernel", "band_kernel"):
            if getattr(self, key) % 2 == 0:
                raise ConfigError(f"config key '{key}' is {getattr(self, key)}: use an odd number")
        check_zones(self.band_zones, (*self.n_ffts, self.mask_n_fft))


class AlongFrames(nn.Module):
    """Attention over the frames of each band, beside a depthwise convolution that gives it positions.

    Shape: `(bands, B, frames, C)` -> the same.
    """

    def __init__(self, config: BandTransformerConfig) -> None:
        super().__init__()
        channels = config.band_channels
        self.norm = nn.LayerNorm(channels)
        kernel = (config.time_kernel, config.band_kernel)
        padding = (config.time_kernel // 2, config.band_kernel // 2)
        self.position = nn.Conv2d(channels, channels, kernel, padding=padding, groups=channels)
        self.attention = ATTENTION[config.time_attention](channels, config.heads, config.dim_head)

    def forward(self, x: Tensor) -> Tensor:
        """Add the attention over frames to `(bands, B, frames, C)`."""
        normed = self.norm(x)
        sequences = (normed + self._positions(normed)).flatten(0, 1)  # (bands * B, frames, C)
        return x + self.attention(sequences).view_as(x)

    def _positions(self, x: Tensor) -> Tensor:
        """The convolution over frames and bands of `(bands, B, frames, C)`."""
        if self.position.kernel_size[1] == 1:  # each band is a picture by itself, and nothing is transposed
            pictures = x.flatten(0, 1).unsqueeze(2)
            return self._convolved(pictures).view_as(x)
        return self._convolved(x.permute(1, 2, 0, 3)).permute(2, 0, 1, 3)

    def _convolved(self, pictures: Tensor) -> Tensor:
        """`(N, frames, bands, C)` -> the same."""
        convolved: Tensor = self.position(pictures.permute(0, 3, 1, 2))
        return convolved.permute(0, 2, 3, 1)


class AcrossBands(nn.Module):
    """A two-layer map over the bands of a frame, the same for all channels (Tolstikhin et al., 2021).

    Shape: `(bands, B, frames, C)` -> the same.
    """

    def __init__(self, config: BandTransformerConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.band_channels)
        self.narrow = nn.Linear(config.bands, config.band_mixer_width)
        self.widen = nn.Linear(config.band_mixer_width, config.bands)

    def forward(self, x: Tensor) -> Tensor:
        """Add the mix of all bands to `(bands, B, frames, C)`."""
        columns = self.norm(x).flatten(1)  # (bands, B * frames * C)
        hidden = F.gelu(_from_left(self.narrow, columns))
        return x + _from_left(self.widen, hidden).view_as(x)


def _from_left(layer: nn.Linear, columns: Tensor) -> Tensor:
    """A linear layer over the rows of `(in_features, N)`, `(out_features, N)`: one product, and nothing transposed."""
    return torch.addmm(layer.bias.unsqueeze(1), layer.weight, columns)


class AttentionAcrossBands(nn.Module):
    """Softmax attention over the bands of a frame, with an embedding a band.

    Shape: `(bands, B, frames, C)` -> the same.
    """

    def __init__(self, config: BandTransformerConfig) -> None:
        super().__init__()
        channels = config.band_channels
        self.norm = nn.LayerNorm(channels)
        self.place = nn.Parameter(torch.randn(config.bands, channels) * 0.1)
        self.attention = SoftmaxAttention(channels, config.heads, config.dim_head)

    def forward(self, x: Tensor) -> Tensor:
        """Add the attention over bands to `(bands, B, frames, C)`."""
        tokens = self.norm(x).flatten(1, 2).transpose(0, 1) + self.place  # (B * frames, bands, C)
        return x + self.attention(tokens).transpose(0, 1).unflatten(1, x.shape[1:3])


class FeedForward(nn.Module):
    """Pre-norm GELU feed-forward with a residual, any shape `(..., C)`."""

    def __init__(self, channels: int, ff_mult: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, ff_mult * channels),
            nn.GELU(),
            nn.Linear(ff_mult * channels, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """One layer over `(..., C)`."""
        return x + self.layers(x)


class BandTransformer(SeparationNetwork):
    """The separator of the spectrum alone.

    Shape: mixture `(B, C, T)` -> stems `(B, S, C, T)`, any T >= 1, as `SeparationNetwork` describes it.
    """

    config: BandTransformerConfig

    def __init__(self, config: BandTransformerConfig) -> None:
        super().__init__(config)
        channels, zones, audio = config.band_channels, config.band_zones, config.audio_channels
        self.stfts = nn.ModuleList(STFT(n_fft) for n_fft in config.n_ffts)
        self.stft = STFT(config.mask_n_fft)
        self.split = nn.ModuleList(BandSplit(zones, n_fft, 2 * audio, channels) for n_fft in config.n_ffts)
        across = AttentionAcrossBands if config.band_mixer == "attention" else AcrossBands
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    AlongFrames(config),
                    FeedForward(channels, config.ff_mult),
                    across(config),
                    FeedForward(channels, config.ff_mult),
                )
                for _ in range(config.blocks)
            )
        )
        self.heads = nn.ModuleList(_MaskHead(config) for _ in config.sources)

    def estimate(self, audio: Tensor) -> Tensor:
        """The stems `(B, S, C, T)` of scaled and padded audio `(B, C, T)`, before they are made to add up."""
        spectrum = self.stft(audio)  # (B, C, 2048, frames)
        spectra = (spectrum if stft.n_fft == self.stft.n_fft else stft(audio) for stft in self.stfts)
        heads = self.mask_values([compressed(real_pairs(read)) for read in spectra])
        return masked_synthesis([torch.stack(zone, dim=3) for zone in zip(*heads, strict=True)], spectrum, self.stft)

    def mask_values(self, features: list[Tensor]) -> list[list[Tensor]]:
        """Features of each STFT, `(B, 2C, frames, n_fft/2)`, to the values of the masks before tanh.

        They are a list a stem, of a zone each, `(n, B, frames, C, k, 2)`: the k bins of each of n bands.
        """
        splits = cast(list[BandSplit], list(self.split))
        grids = [split.by_band(read) for read, split in zip(features, splits, strict=True)]
        grid = torch.stack(grids).sum(dim=0) if len(grids) > 1 else grids[0]
        if torch.is_autocast_enabled(grid.device.type):
            grid = grid.to(torch.get_autocast_dtype(grid.device.type))
        x = self.blocks(grid)  # (bands, B, frames, channels)
        return [head(x) for head in self.heads]


class _MaskHead(nn.Module):
    """Tokens `(bands, B, frames, C)` to the mask values of one stem, a zone each: `(n, B, frames, C, k, 2)`."""

    def __init__(self, config: BandTransformerConfig) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.LayerNorm(config.band_channels), nn.Linear(config.band_channels, config.head_channels), nn.GELU()
        )
        self.frames_per_step = N_FFT // config.mask_n_fft
        zones = tuple((n, k // self.frames_per_step) for n, k in config.band_zones)
        self.merge = BandMerge(zones, config.head_channels, config.audio_channels * self.frames_per_step)

    def forward(self, x: Tensor) -> list[Tensor]:
        zones = self.merge.by_zone(self.hidden(x))
        if self.frames_per_step == 1:
            return zones
        # (n, B, steps, r C, k, 2): the r frames of a step follow each other.
        r = self.frames_per_step
        return [zone.unflatten(3, (r, -1)).flatten(2, 3) for zone in zones]
