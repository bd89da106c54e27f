"""Idea 4, learned fusion: the weight of each branch is computed for every frame, from the features of both."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BAND_CHANNELS = 8
"""Channels kept a band before the bands are laid side by side."""


@dataclass(frozen=True)
class FusionStatistics:
    """What the fusion did: mean weights of the two branches (they sum to 1) and RMS of what was added
    relative to the time features. Each a scalar tensor."""

    frequency_weight: Tensor
    time_weight: Tensor
    strength: Tensor


class FrequencyProjection(nn.Module):
    """Frequency features to the width and clock of the tokens.

    Shape: `(B, C, bands, frames)` -> `(B, dim, N)`, linearly interpolated where frames differs from N.
    """

    def __init__(self, channels: int, bands: int, dim: int, layers: int = 2) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, _BAND_CHANNELS, 1)
        widths = [_BAND_CHANNELS * bands] + [dim] * layers
        self.project = nn.Sequential()
        for c_in, c_out in pairwise(widths):
            self.project.extend([nn.Conv1d(c_in, c_out, 1, bias=False), nn.BatchNorm1d(c_out), nn.ReLU()])

    def forward(self, frequency: Tensor, length: int) -> Tensor:
        """Project `(B, C, bands, frames)` to `(B, dim, length)`."""
        x = self.project(self.narrow(frequency).flatten(1, 2))
        if x.shape[-1] != length:
            x = F.interpolate(x, size=length, mode="linear", align_corners=False)
        return x


class AdditiveFusion(nn.Module):
    """The plain form: projected frequency features added to the time features, for ablation.

    Shape: `(B, C, bands, frames)` and `(B, dim, N)` -> `(B, dim, N)`.
    """

    def __init__(self, channels: int, bands: int, dim: int, projection_layers: int = 2) -> None:
        super().__init__()
        self.projection = FrequencyProjection(channels, bands, dim, projection_layers)

    def forward(self, frequency: Tensor, time: Tensor) -> tuple[Tensor, FusionStatistics]:
        """Both branches with weight one half each, by definition."""
        added = self.projection(frequency, time.shape[-1])
        half = time.new_tensor(0.5)
        return time + added, FusionStatistics(half, half, _strength(added, time))


class LearnedFusion(nn.Module):
    """Weigh the branches a frame at a time, mix them by a small network, add the result to the time features.

        w = softmax(a(f, t))            two weights per frame
        fused = t + tanh(net(w_f f, w_t t))

    With `adaptive` off, the two weights are learned constants.

    Shape: frequency `(B, C, bands, frames)` and time `(B, dim, N)` -> `(B, dim, N)` and `FusionStatistics`.
    """

    def __init__(self, channels: int, bands: int, dim: int, projection_layers: int = 2, adaptive: bool = True) -> None:
        super().__init__()
        self.projection = FrequencyProjection(channels, bands, dim, projection_layers)
        self.adaptive = adaptive
        if adaptive:
            self.weigh = nn.Sequential(nn.Conv1d(2 * dim, dim // 2, 1), nn.ReLU(), nn.Conv1d(dim // 2, 2, 1))
        else:
            self.weight_logits = nn.Parameter(torch.zeros(1, 2, 1))
        hidden = 3 * dim // 4
        self.net = nn.Sequential(
            nn.Conv1d(2 * dim, hidden, 1),
            nn.ReLU(),
            nn.Conv1d(hidden, hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(hidden, dim, 1),
            nn.Tanh(),
        )

    def forward(self, frequency: Tensor, time: Tensor) -> tuple[Tensor, FusionStatistics]:
        """Fuse `(B, C, bands, frames)` into `(B, dim, N)`."""
        projected = self.projection(frequency, time.shape[-1])
        logits = self.weigh(torch.cat([projected, time], dim=1)) if self.adaptive else self.weight_logits
        weights = logits.softmax(dim=1)  # (B, 2, N)
        w_frequency, w_time = weights[:, :1], weights[:, 1:]
        added = self.net(torch.cat([w_frequency * projected, w_time * time], dim=1))
        return time + added, FusionStatistics(w_frequency.mean(), w_time.mean(), _strength(added, time))


def _strength(added: Tensor, time: Tensor) -> Tensor:
    """RMS of what was added over RMS of what it was added to."""
    return (added.float().square().mean() / (time.float().square().mean() + 1e-12)).sqrt()
