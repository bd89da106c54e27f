"""The short-time Fourier transform on the grid's clock, and its inverse.

Frames are laid so that frame m of hop h is centred on sample m h + h/2: the frames of a signal of
T samples, T a multiple of h, are exactly T / h, and for hops that divide 1024 they tile the frames
of 1024 samples of the common grid and the tokens of the time branch with no resampling.

    signal          |0 ------------------------------- T|
    padded   |<- p ->|                                  |<- p ->|      p = (n_fft - h) / 2
    frame 0  |<---- n_fft ---->|
    frame 1         |<---- n_fft ---->|
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class STFT(nn.Module):
    """Complex STFT with a periodic Hann window and hop n_fft / 4, scaled by 1 / sqrt(n_fft).

    Shape: audio `(..., T)`, T a multiple of the hop -> `(..., n_fft/2, T / hop)` complex64. The Nyquist
    bin is left out (its energy is inaudible), so that bins divide evenly into bands.
    """

    window: Tensor

    def __init__(self, n_fft: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop = n_fft // 4
        self.padding = (n_fft - self.hop) // 2
        self.register_buffer("window", torch.hann_window(n_fft, dtype=torch.float32), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Transform `(..., T)` to `(..., n_fft/2, T / hop)`; raises `ValueError` if hop does not divide T."""
        *batch, length = audio.shape
        if length % self.hop:
            raise ValueError(f"length {length} is not a multiple of the hop {self.hop}")
        padded = F.pad(audio.reshape(-1, length).float(), (self.padding, self.padding))  # torch.stft takes 2-D at most
        spectrum = torch.stft(
            padded,
            self.n_fft,
            self.hop,
            window=self.window,
            center=False,
            normalized=True,
            return_complex=True,
        )
        return spectrum[:, :-1].reshape(*batch, self.n_fft // 2, -1)

    def inverse(self, spectrum: Tensor) -> Tensor:
        """Back to audio by windowed overlap-add: `(..., n_fft/2, frames)` complex -> `(..., frames * hop)`.

        The sum of overlapped frames is divided by the sum of squared windows, which is the least-squares
        inverse (Griffin and Lim, 1984, eq. 6); a spectrum with an empty Nyquist bin is reconstructed exactly.
        """
        *batch, bins, frames = spectrum.shape
        # Frames outermost in memory, as torch.stft leaves them: the FFT then runs along contiguous bins.
        columns = spectrum.reshape(-1, bins, frames).transpose(1, 2)
        pieces = torch.fft.irfft(columns, n=self.n_fft, norm="ortho") * self.window
        audio = _OverlapAdd.apply(pieces)
        inside = slice(self.padding, self.padding + frames * self.hop)
        return (audio[:, inside] / self._overlapped(frames)).reshape(*batch, -1)

    def inverse_adjoint(self, gradient: Tensor) -> Tensor:
        """The adjoint of `inverse`, its gradient rule: `(..., frames * hop)` -> `(..., n_fft/2, frames)` complex.

        <inverse(Y), g> = <Y, inverse_adjoint(g)> over real and imaginary parts.
        """
        *batch, length = gradient.shape
        frames = length // self.hop
        weighted = gradient.reshape(-1, length) / self._overlapped(frames)
        padded = F.pad(weighted, (self.padding, (frames + 3) * self.hop - self.padding - length))
        spectrum = torch.fft.rfft(padded.unfold(1, self.n_fft, self.hop) * self.window, norm="ortho")[..., :-1]
        spectrum[..., 1:] *= 2  # a bin and its mirror image
        return spectrum.transpose(1, 2).reshape(*batch, self.n_fft // 2, frames)

    def _overlapped(self, frames: int) -> Tensor:
        """The sum of squared windows under each sample of `frames` frames, `(1, frames * hop)`."""
        weight = _OverlapAdd.apply(self.window.square().expand(1, frames, -1))
        return weight[:, self.padding : self.padding + frames * self.hop]


def real_pairs(spectrum: Tensor) -> Tensor:
    """A complex spectrum `(..., F, frames)` as real and imaginary parts, a view `(..., frames, F, 2)`.

    Frames are outermost, as `STFT` leaves them in memory.
    """
    return torch.view_as_real(spectrum.transpose(-1, -2))


def compressed(pairs: Tensor) -> Tensor:
    """Square-root magnitudes with the phase kept: `(B, C, frames, F, 2)` -> `(B, 2C, frames, F)`.

    The treble, 40 dB below the bass, comes in 20 dB below.
    """
    real, imaginary = pairs.unbind(-1)
    shrink = ((real.square() + imaginary.square()).sqrt() + 1e-6).rsqrt()
    return torch.cat([real * shrink, imaginary * shrink], dim=1)


class _OverlapAdd(torch.autograd.Function):
    """Add up frames `(N, frames, n_fft)` that start every n_fft / 4 samples: `(N, (frames + 3) * n_fft / 4)`.

    The gradient is the adjoint, cutting frames out again, and a view: autograd's own would write four
    arrays of zeros, which on a CPU takes longer than the rest of the inverse STFT.
    """

    @staticmethod
    def forward(ctx: Any, pieces: Tensor) -> Tensor:
        number, frames, n_fft = pieces.shape
        ctx.n_fft = n_fft
        quarters = pieces.unflatten(-1, (4, -1))
        rows = pieces.new_zeros(number, frames + 3, n_fft // 4)
        for q in range(4):
            rows[:, q : q + frames] += quarters[:, :, q]
        return rows.flatten(1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.unfold(1, ctx.n_fft, ctx.n_fft // 4)
