"""The spectral head: the frequency branch writes a spectrum a stem on the 4096 STFT.

Every strong hybrid separator decodes in both domains; the design document's form decodes in time only and
is built by `spectral_head: none`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from htdemucs_n.models.bands import BandMerge, Zones
from htdemucs_n.models.masked_synthesis import masked_synthesis
from htdemucs_n.models.stft import STFT

_TOKEN_CHANNELS = 4
"""Channels a band that the tokens add to the grid."""


def bounded(kind: str, values: Tensor, stems: int) -> Tensor:
    """The values (a, b), `(..., 2)`, to the real and imaginary parts that a kind of head defines.

    `stems` is the dimension of the stems.
    """
    if kind == "mapping":
        return values
    if kind == "softmax":
        return torch.stack([values[..., 0].softmax(dim=stems), values[..., 1].tanh()], dim=-1)
    return values.tanh()


class SpectralHead(nn.Module):
    """Grid features and fused tokens to the stems' spectra.

    Kinds, with the network's output (a, b) a bin, channel and stem:

    * `mask`: bounded complex mask, (tanh a + i tanh b) X
    * `softmax`: (softmax over stems of a + i tanh b) X
    * `mapping`: a + i b, the spectrum itself

    The tokens join the grid before the last layer, so that what the transformer found in the whole segment
    reaches the spectrum and not only the waveform.

    Shape: grid `(B, channels, bands, frames)`, tokens `(B, dim, frames)`, spectrum `(B, C, 2048, frames)` complex
    -> `(B, S, C, 2048, frames)` complex64.
    """

    def __init__(self, kind: str, channels: int, dim: int, zones: Zones, stems: int, audio_channels: int) -> None:
        super().__init__()
        self.kind = kind
        self.stems = stems
        bands = sum(n for n, _ in zones)
        self.from_tokens = nn.Conv1d(dim, _TOKEN_CHANNELS * bands, 1)
        self.bands = bands
        self.mix = nn.Sequential(nn.Conv2d(channels + _TOKEN_CHANNELS, channels, 1), nn.ReLU())
        self.merge = BandMerge(zones, channels, stems * audio_channels)

    def forward(self, grid: Tensor, tokens: Tensor, spectrum: Tensor) -> Tensor:
        """Write the stems' spectra `(B, S, C, 2048, frames)`."""
        values = bounded(self.kind, self.merge(self._join_tokens(grid, tokens)).unflatten(1, (self.stems, -1)), stems=1)
        written = torch.view_as_complex(values)
        return written if self.kind == "mapping" else written * spectrum.unsqueeze(1)

    def waveforms(self, grid: Tensor, tokens: Tensor, spectrum: Tensor, stft: STFT) -> Tensor:
        """The stems' share of the output `(B, S, C, T)`: the inverse STFT of what `forward` writes."""
        if self.kind != "mask":
            return stft.inverse(self(grid, tokens, spectrum))
        return masked_synthesis(self.zones(grid, tokens), spectrum, stft)

    def zones(self, grid: Tensor, tokens: Tensor) -> list[Tensor]:
        """The values (a, b) as the matrices leave them, a zone each, `(n, B, frames, S, C, k, 2)`."""
        zones = self.merge.by_zone(self._join_tokens(grid, tokens).permute(2, 0, 3, 1))
        return [zone.unflatten(3, (self.stems, -1)) for zone in zones]

    def _join_tokens(self, grid: Tensor, tokens: Tensor) -> Tensor:
        """The grid `(B, channels, bands, frames)` after the tokens have joined it."""
        from_tokens = self.from_tokens(tokens).unflatten(1, (-1, self.bands))
        mixed: Tensor = self.mix(torch.cat([grid, from_tokens], dim=1))
        return mixed
