"""Bounded complex mask, product with the mixture's spectrum and inverse STFT, a piece at a time.

    stem = iSTFT((tanh a + i tanh b) X)

At full resolution the masks of four stems are the largest arrays of the whole model: written out one after
another, mask, product, spectrum and frames pass through main memory a dozen times. Here one stem of one item is
computed to its end while it is in the processor's cache. The backward pass works in the same way, and stores nothing
but the output of the band matrices.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from htdemucs_n.models.stft import STFT


def masked_synthesis(bands: list[Tensor], spectrum: Tensor, stft: STFT) -> Tensor:
    """The stems' waveforms `(B, S, C, T)`, float32.

    Shape: bands, a list of `(n, B, frames, S, C, k, 2)`, the values (a, b) of the k bins of each of n bands, low to
    high; spectrum `(B, C, 2048, frames)` complex, to which no gradient flows.
    """
    waveforms: Tensor = _MaskedSynthesis.apply(stft, spectrum, *bands)
    return waveforms


class _MaskedSynthesis(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, stft: STFT, spectrum: Tensor, *bands: Tensor) -> Tensor:
        ctx.stft = stft
        ctx.save_for_backward(spectrum, *bands)
        _, batch, frames, stems, channels = bands[0].shape[:5]
        waveforms = spectrum.real.new_empty(batch, stems, channels, frames * stft.hop)
        for piece in _pieces(batch, stems, spectrum.device):
            mask = _tanh_(_gather([band[piece.bands] for band in bands]))
            waveforms[piece.stems] = stft.inverse((torch.view_as_complex(mask) * piece.of(spectrum)).transpose(-1, -2))
        return waveforms

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        spectrum, *bands = ctx.saved_tensors
        gradients = [torch.empty_like(band) for band in bands]
        _, batch, _, stems, _ = bands[0].shape[:5]
        for piece in _pieces(batch, stems, spectrum.device):
            mask = _tanh_(_gather([band[piece.bands] for band in bands]))
            into = ctx.stft.inverse_adjoint(gradient[piece.stems]).transpose(-1, -2) * piece.of(spectrum).conj()
            slope = mask.square_().neg_().add_(1).mul_(torch.view_as_real(into))
            _scatter(slope, [band[piece.bands] for band in gradients])
        return None, None, *gradients


class _Piece:
    """One stem of one item: its indices in the bands `(n, B, frames, S, C, k, 2)` and stems `(B, S, C, T)`."""

    def __init__(self, item: slice, stem: slice) -> None:
        self.bands = (slice(None), item, slice(None), stem)
        self.stems = (item, stem)
        self.item = item

    def of(self, spectrum: Tensor) -> Tensor:
        """Its mixture, `(1, 1, C, frames, 2048)`."""
        return spectrum[self.item].unsqueeze(1).transpose(-1, -2)


def _pieces(batch: int, stems: int, device: torch.device) -> list[_Piece]:
    """On a CPU every stem of every item by itself; elsewhere all in one, where launches cost more than memory."""
    if device.type != "cpu":
        return [_Piece(slice(None), slice(None))]
    return [_Piece(slice(b, b + 1), slice(s, s + 1)) for b in range(batch) for s in range(stems)]


def _tanh_(values: Tensor) -> Tensor:
    """tanh in place, as 2 sigmoid(2x) - 1: torch's own takes ten times as long on a CPU (float32, torch 2.13)."""
    return values.mul_(2).sigmoid_().mul_(2).sub_(1)


def _gather(bands: list[Tensor]) -> Tensor:
    """Bands `(n, B, frames, S, C, k, 2)` side by side: `(B, S, C, frames, 2048, 2)`, float32."""
    _, batch, frames, stems, channels = bands[0].shape[:5]
    bins = sum(band.shape[0] * band.shape[5] for band in bands)
    values = bands[0].new_empty(batch, stems, channels, frames, bins, 2, dtype=torch.float32)
    for band, place in zip(bands, _places(values, bands), strict=True):
        place.copy_(band)
    return values


def _scatter(values: Tensor, bands: list[Tensor]) -> None:
    """The inverse of `_gather`: `(B, S, C, frames, 2048, 2)` into the bands."""
    for band, place in zip(bands, _places(values, bands), strict=True):
        band.copy_(place)


def _places(values: Tensor, bands: list[Tensor]) -> list[Tensor]:
    """Views of `(B, S, C, frames, 2048, 2)` in the order of each band's dimensions."""
    zones = values.split([band.shape[0] * band.shape[5] for band in bands], dim=4)
    return [
        zone.unflatten(4, (band.shape[0], band.shape[5])).permute(4, 0, 3, 1, 2, 5, 6)
        for zone, band in zip(zones, bands, strict=True)
    ]
