"""The STFT of `htdemucs_n.models.stft` and its inverse in NumPy, one channel or one stem at a time.

Frame m of hop h is centred on sample m h + h/2. Frames are outermost in memory, so that the FFT runs along contiguous
samples and bins, and a stem stays in the processor's cache from its mask to its samples.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Spectrum = NDArray[np.complex64]


class STFT:
    """Complex STFT with a periodic Hann window and hop n_fft / 4, scaled by 1 / sqrt(n_fft), without the Nyquist bin.

    `edges` says what lies beyond the ends of the signal: `zero`, or the signal mirrored (`reflect`), as the official
    Demucs has it.
    """

    def __init__(self, n_fft: int, edges: str = "zero") -> None:
        self.n_fft, self.hop, self.edges = n_fft, n_fft // 4, edges
        self.padding = (n_fft - self.hop) // 2
        turns = 2 * np.pi * np.arange(n_fft) / n_fft
        self.window = (0.5 - 0.5 * np.cos(turns)).astype(np.float32)
        self._weights: dict[int, Samples] = {}  # by the number of frames, the same for every stem and segment

    def forward(self, audio: Samples) -> Spectrum:
        """Transform `(C, T)` to `(C, frames, n_fft/2)`, T / hop frames, rounded up."""
        frames = -(-audio.shape[-1] // self.hop)
        end = self.padding + frames * self.hop - audio.shape[-1]
        mode = "reflect" if self.edges == "reflect" else "constant"
        padded = np.pad(audio, ((0, 0), (self.padding, end)), mode=mode)  # type: ignore[call-overload]
        spectrum = np.empty((len(audio), frames, self.n_fft // 2), np.complex64)
        for channel, into in zip(padded, spectrum, strict=True):
            pieces = sliding_window_view(channel, self.n_fft)[:: self.hop] * self.window
            into[:] = np.fft.rfft(pieces, norm="ortho")[:, :-1]
        return spectrum

    def inverse(self, spectrum: Spectrum) -> Samples:
        """Back to audio by windowed overlap-add: `(C, frames, n_fft/2)` -> `(C, frames * hop)`.

        The sum of overlapped frames is divided by the sum of squared windows (Griffin and Lim, 1984, eq. 6).
        """
        frames = spectrum.shape[1]
        audio = np.empty((len(spectrum), frames * self.hop), np.float32)
        weight = self._weights.get(frames)
        if weight is None:
            weight = self._weights[frames] = self._overlapped(frames)
        for channel, into in zip(spectrum, audio, strict=True):
            pieces: Samples = np.fft.irfft(channel, n=self.n_fft, norm="ortho").astype(np.float32, copy=False)
            pieces *= self.window
            np.divide(self._added(pieces), weight, out=into)
        return audio

    def _added(self, pieces: Samples) -> Samples:
        """The overlap-add of `(frames, n_fft)` without the padding, `(frames * hop,)`."""
        frames = len(pieces)
        quarters = pieces.reshape(frames, 4, self.hop)
        rows = np.zeros((frames + 3, self.hop), pieces.dtype)
        for quarter in range(4):
            rows[quarter : quarter + frames] += quarters[:, quarter]
        return rows.reshape(-1)[self.padding : self.padding + frames * self.hop]

    def _overlapped(self, frames: int) -> Samples:
        """The sum of squared windows under each sample, `(frames * hop,)`."""
        squares: Samples = np.square(self.window)
        if self.edges == "zero":
            return self._added(np.broadcast_to(squares, (frames, self.n_fft)))
        # Empty frames before the first and after the last count too.
        return np.tile(squares.reshape(4, self.hop).sum(0), frames + 1)[self.hop // 2 : -self.hop // 2]
