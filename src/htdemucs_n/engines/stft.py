"""The STFT of `htdemucs_n.models.stft` and its inverse in NumPy, one channel or one stem at a time.

Frame m of hop h is centred on sample m h + h/2. Frames are outermost in memory, so that the FFT runs along contiguous
samples and bins. The inverse takes blocks of frames, which stay in the processor's cache from their masks to their
samples.
"""

from __future__ import annotations

from collections.abc import Iterable

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

    def inverse(self, blocks: Iterable[Spectrum], frames: int) -> Samples:
        """Back to audio by windowed overlap-add: successive blocks `(C, n, n_fft/2)` -> `(C, frames * hop)`.

        The blocks have `frames` frames in all. The sum of overlapped frames is divided by the sum of squared windows
        (Griffin and Lim, 1984, eq. 6).
        """
        rows: Samples | None = None
        first = 0
        for block in blocks:
            pieces: Samples = np.fft.irfft(block, n=self.n_fft, norm="ortho").astype(np.float32, copy=False)
            pieces *= self.window
            if rows is None:
                rows = np.zeros((len(block), frames + 3, self.hop), np.float32)
            self._add(pieces, rows[:, first:])
            first += block.shape[1]
        assert rows is not None and first == frames
        weight = self._weights.get(frames)
        if weight is None:
            weight = self._weights[frames] = self._overlapped(frames)
        audio = self._without_padding(rows)
        audio /= weight
        return audio

    def _add(self, pieces: Samples, rows: Samples) -> None:
        """Overlap-add `(C, n, n_fft)` to the first n + 3 of the rows `(C, m, hop)`."""
        channels, frames, _ = pieces.shape
        quarters = pieces.reshape(channels, frames, 4, self.hop)
        for quarter in range(4):
            rows[:, quarter : quarter + frames] += quarters[:, :, quarter]

    def _without_padding(self, rows: Samples) -> Samples:
        """The samples `(C, frames * hop)` of rows `(C, frames + 3, hop)`, a view."""
        channels, count, _ = rows.shape
        return rows.reshape(channels, -1)[:, self.padding : self.padding + (count - 3) * self.hop]

    def _overlapped(self, frames: int) -> Samples:
        """The sum of squared windows under each sample, `(frames * hop,)`."""
        squares: Samples = np.square(self.window)
        if self.edges == "zero":
            rows = np.zeros((1, frames + 3, self.hop), np.float32)
            self._add(np.broadcast_to(squares, (1, frames, self.n_fft)), rows)
            return self._without_padding(rows)[0]
        # Empty frames before the first and after the last count too.
        return np.tile(squares.reshape(4, self.hop).sum(0), frames + 1)[self.hop // 2 : -self.hop // 2]
