"""Idea 2, ResUNet++: residual blocks, channel attention and attention-gated skips over `(B, C, bands, frames)`.

Sources: residual learning, He et al. 2016; squeeze-and-excitation, Hu et al. 2018; attention gates,
Oktay et al. 2018; together, Jha et al. 2019.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """conv3x3-BN-ReLU-conv3x3-BN plus a shortcut, ReLU.

    Shape: `(B, in_channels, H, W)` -> `(B, out_channels, H, W)`.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """ReLU(body(x) + shortcut(x)), `(B, out_channels, H, W)`."""
        return F.relu(self.body(x) + self.shortcut(x))


class SqueezeExcitation(nn.Module):
    """Scale each channel by a weight in (0, 1) computed from the averages of all channels.

    Shape: `(B, channels, H, W)` -> the same.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.excitation = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """x * sigmoid(W2 ReLU(W1 mean(x)))."""
        return x * self.excitation(x.mean(dim=(2, 3)))[:, :, None, None]


class AttentionGate(nn.Module):
    """Additive gate on a skip connection: sigmoid(psi(ReLU(Wg g + Wx x))) * x, one map for all channels.

    Shape: gate signal `(B, gate_channels, H, W)`, skip `(B, skip_channels, H, W)` -> `(B, skip_channels, H, W)`.
    """

    def __init__(self, gate_channels: int, skip_channels: int, inter_channels: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(gate_channels, inter_channels, 1)
        self.skip = nn.Conv2d(skip_channels, inter_channels, 1, bias=False)
        self.psi = nn.Conv2d(inter_channels, 1, 1)

    def forward(self, gate: Tensor, skip: Tensor) -> Tensor:
        """The skip features that the gate lets through."""
        attention = self.psi(F.relu(self.gate(gate) + self.skip(skip))).sigmoid()
        return attention * skip


class ResUNetPlusEncoder(nn.Module):
    """Levels of residual block and squeeze-excitation, halved by strided convolutions that double the channels.

    Shape: `(B, in_channels, H, W)` -> a list of `depth` levels, level i `(B, base 2^i, H / 2^i, W / 2^i)`.
    H and W must be multiples of 2^(depth - 1).
    """

    def __init__(
        self,
        in_channels: int,
        base_channels: int = 64,
        depth: int = 4,
        use_se: bool = True,
        se_reduction: int = 16,
    ) -> None:
        super().__init__()
        widths = [base_channels * 2**level for level in range(depth)]
        self.blocks = nn.ModuleList(
            nn.Sequential(
                ResidualBlock(in_channels if level == 0 else width, width),
                SqueezeExcitation(width, se_reduction) if use_se else nn.Identity(),
            )
            for level, width in enumerate(widths)
        )
        self.downsamples = nn.ModuleList(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1) for width in widths[:-1])

    def forward(self, x: Tensor) -> list[Tensor]:
        """The features of every level, finest first."""
        levels = [self.blocks[0](x)]
        for index, downsample in enumerate(self.downsamples):
            levels.append(self.blocks[index + 1](downsample(levels[-1])))
        return levels


class ResUNetPlusDecoder(nn.Module):
    """From the coarsest level up: transposed convolution x2, gated skip, concatenation, residual block.

    Shape: the encoder's list of levels -> `(B, base_channels, H, W)`.
    """

    def __init__(self, base_channels: int = 64, depth: int = 4, use_attention: bool = True) -> None:
        super().__init__()
        widths = [base_channels * 2**level for level in reversed(range(depth - 1))]
        self.upsamples = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths)
        self.gates = nn.ModuleList(AttentionGate(width, width, width // 2) for width in widths if use_attention)
        self.blocks = nn.ModuleList(ResidualBlock(2 * width, width) for width in widths)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Decode to the finest level, `(B, base_channels, H, W)`."""
        x = levels[-1]
        for index, skip in enumerate(reversed(levels[:-1])):
            x = self.upsamples[index](x)
            if self.gates:
                skip = self.gates[index](x, skip)
            x = self.blocks[index](torch.cat([x, skip], dim=1))
        return x
