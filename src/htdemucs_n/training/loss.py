"""The training loss: L1 on waveforms, and optionally on magnitudes at several resolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_N_FFTS = (512, 2048, 4096)


class SeparationLoss(nn.Module):
    """mean |s - s_hat| + spectral_weight * mean over resolutions of mean ||S| - |S_hat||.

    Shape: estimate and reference `(B, S, C, T)` -> scalar.
    """

    def __init__(self, spectral_weight: float = 0.0) -> None:
        super().__init__()
        self.spectral_weight = spectral_weight

    def forward(self, estimate: Tensor, reference: Tensor) -> Tensor:
        """Distance of `estimate` from `reference`, both `(B, S, C, T)`."""
        loss = (estimate - reference).abs().mean()
        if self.spectral_weight:
            spectral = [(_magnitude(estimate, n) - _magnitude(reference, n)).abs().mean() for n in _N_FFTS]
            loss = loss + self.spectral_weight * torch.stack(spectral).mean()
        return loss


def _magnitude(audio: Tensor, n_fft: int) -> Tensor:
    """Magnitude spectrogram of `(..., T)`, hop n_fft / 4, scaled by 1 / sqrt(n_fft)."""
    window = torch.hann_window(n_fft, device=audio.device)
    spectrum = torch.stft(audio.flatten(0, -2), n_fft, n_fft // 4, window=window, normalized=True, return_complex=True)
    # The gradient of |z| at 0 is undefined; a floor 60 dB below the mixture keeps it finite.
    return torch.view_as_real(spectrum).square().sum(dim=-1).add(1e-6).sqrt()
