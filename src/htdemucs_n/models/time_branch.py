"""The time branch: strided convolutions from samples to tokens of 1024 samples, and back.

Level i has `channels * growth^i` channels. The strides multiply to 1024, so a token, a frame of the grid and
a hop of the output STFT are the same stretch of time.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from htdemucs_n.errors import ConfigError

_STRIDES = {3: (16, 8, 8), 4: (8, 8, 4, 4), 5: (4, 4, 4, 4, 4)}


def level_strides(depth: int) -> tuple[int, ...]:
    """Strides of the levels for a depth of 3, 4 or 5, product 1024; raises `UserError` for another depth."""
    if depth not in _STRIDES:
        raise ConfigError(f"config key 'depth' is {depth}: use one of {', '.join(map(str, _STRIDES))}")
    return _STRIDES[depth]


class ResidualBlock1d(nn.Module):
    """conv3-BN-ReLU-conv3-BN plus the input, ReLU. Shape: `(B, C, N)` -> `(B, C, N)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm1d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """ReLU(body(x) + x), `(B, C, N)`."""
        return F.relu(self.body(x) + x)


class TimeEncoder(nn.Module):
    """Audio to tokens. A level: conv (kernel 2 x stride)-BN-ReLU, residual blocks.

    Shape: `(B, C, T)`, T a multiple of 1024 -> tokens `(B, dim, T / 1024)` and the levels for the skips,
    finest first, `(B, widths[i], T / (strides[0] ... strides[i]))`.
    """

    def __init__(
        self, audio_channels: int, widths: Sequence[int], strides: Sequence[int], dim: int, blocks: int
    ) -> None:
        super().__init__()
        inputs = [audio_channels, *widths[:-1]]
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(c_in, c_out, 2 * stride, stride, padding=stride // 2, bias=False),
                nn.BatchNorm1d(c_out),
                nn.ReLU(),
                *(ResidualBlock1d(c_out) for _ in range(blocks)),
            )
            for c_in, c_out, stride in zip(inputs, widths, strides, strict=True)
        )
        self.to_tokens = nn.Conv1d(widths[-1], dim, 1)

    def forward(self, audio: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Tokens `(B, dim, T / 1024)` and the features of every level."""
        skips, x = [], audio
        for level in self.levels:
            x = level(x)
            skips.append(x)
        return self.to_tokens(x), skips


class TimeDecoder(nn.Module):
    """Tokens and skips to the stems' audio. A level: skip added, residual blocks, transposed conv.

    Shape: tokens `(B, dim, N)` and the encoder's levels -> `(B, out_channels, N * 1024)`.
    """

    def __init__(self, out_channels: int, widths: Sequence[int], strides: Sequence[int], dim: int, blocks: int) -> None:
        super().__init__()
        self.from_tokens = nn.Conv1d(dim, widths[-1], 1)
        self.levels = nn.ModuleList(
            nn.Sequential(
                *(ResidualBlock1d(c_in) for _ in range(blocks)),
                nn.ConvTranspose1d(c_in, c_out, 2 * stride, stride, padding=stride // 2),
            )
            for c_in, c_out, stride in reversed(list(zip(widths[1:], widths, strides[1:], strict=False)))
        )
        self.last_blocks = nn.Sequential(*(ResidualBlock1d(widths[0]) for _ in range(blocks)))
        self.to_audio = nn.ConvTranspose1d(widths[0], out_channels, 2 * strides[0], strides[0], padding=strides[0] // 2)

    def forward(self, tokens: Tensor, skips: list[Tensor]) -> Tensor:
        """Decode to `(B, out_channels, T)`, float32."""
        x = self.from_tokens(tokens)
        for level, skip in zip(self.levels, reversed(skips[1:]), strict=True):
            x = level(x + skip)
        x = self.last_blocks(x + skips[0])
        # Samples are written in float32: half precision would add noise 50 dB below them, and oneDNN's
        # bfloat16 gradient of this layer (few output channels, torch 2.13, AMX) is wrong.
        with torch.autocast(x.device.type, enabled=False):
            return self.to_audio(x.float())
