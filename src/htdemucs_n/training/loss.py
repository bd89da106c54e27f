"""The training loss: L1 or L2 on waveforms, and optionally on magnitudes at several resolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_N_FFTS = (512, 2048, 4096)


class SeparationLoss(nn.Module):
    """distance(s, s_hat) + spectral_weight * mean over resolutions of mean ||S| - |S_hat||.

    The distance is mean |s - s_hat| (`l1`) or 2 mean (s - s_hat)^2 (`l2`). L2 is what the SDR measures: where the
    model can't tell, it settles on the mean of what may be, L1 on the median, which is too quiet. The factor 2 gives
    both about the same gradient at an error 12 dB below the mixture, so that a run can change from one to the other.

    A recording that ends at 8 kHz must not teach that its instrument has no treble: where a stem has a cutoff, its
    error above it does not count.

    Shape: estimate and reference `(B, S, C, T)`, cutoff `(B, S)` in Hz (on the CPU) -> scalar.
    """

    def __init__(self, kind: str = "l1", spectral_weight: float = 0.0, sample_rate: int = 44100) -> None:
        super().__init__()
        self.kind = kind
        self.spectral_weight = spectral_weight
        self.sample_rate = sample_rate

    def forward(self, estimate: Tensor, reference: Tensor, cutoff: Tensor | None = None) -> Tensor:
        """Distance of `estimate` from `reference`, both `(B, S, C, T)`."""
        error = estimate - reference
        if cutoff is not None:
            limited = cutoff < self.sample_rate / 2
            if limited.any():
                error = error.clone()
                error[limited] = low_passed(error[limited], cutoff[limited], self.sample_rate)
        loss = error.abs().mean() if self.kind == "l1" else 2 * error.square().mean()
        if self.spectral_weight:
            heard = reference + error
            spectral = [(_magnitude(heard, n) - _magnitude(reference, n)).abs().mean() for n in _N_FFTS]
            loss = loss + self.spectral_weight * torch.stack(spectral).mean()
        return loss


def low_passed(audio: Tensor, cutoff: Tensor, sample_rate: int) -> Tensor:
    """`audio` `(N, C, T)` without what lies above `cutoff` `(N,)`, Hz; the cut is ideal."""
    spectrum = torch.fft.rfft(audio)
    frequencies = torch.fft.rfftfreq(audio.shape[-1], 1 / sample_rate, device=audio.device)
    kept = frequencies <= cutoff.to(audio.device)[:, None]
    return torch.fft.irfft(spectrum * kept[:, None], n=audio.shape[-1])


def _magnitude(audio: Tensor, n_fft: int) -> Tensor:
    """Magnitude spectrogram of `(..., T)`, hop n_fft / 4, scaled by 1 / sqrt(n_fft)."""
    window = torch.hann_window(n_fft, device=audio.device)
    spectrum = torch.stft(audio.flatten(0, -2), n_fft, n_fft // 4, window=window, normalized=True, return_complex=True)
    # The gradient of |z| at 0 is undefined; a floor 60 dB below the mixture keeps it finite.
    return torch.view_as_real(spectrum).square().sum(dim=-1).add(1e-6).sqrt()
