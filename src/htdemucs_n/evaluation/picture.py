"""Pictures of separated stems: spectrograms of truth and estimate side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from htdemucs_n.plots import new_figure, save_figure

_N_FFT = 4096
_COLUMNS = 900
"""Frames drawn across a picture, whatever the length of the song."""

_ROWS = 300
_LOWEST, _HIGHEST = 30.0, 20_000.0
"""Range of the frequency axis, Hz."""

_RANGE = 80.0
"""From the loudest point of the truth down to black, dB."""


Samples = NDArray[np.float32]


def log_spectrogram(samples: Samples, sample_rate: int) -> NDArray[np.float64]:
    """Return the spectrogram of `samples` `(C, T)` in dB on a logarithmic frequency axis: `(300, frames)`.

    Channels are averaged in power, so that anti-phase stereo shows. Row r is at 30 (20000 / 30)^(r / 299) Hz
    and shows the loudest bin that it covers, so that no partial falls between two rows.
    """
    hop = max(1, samples.shape[-1] // _COLUMNS)
    window = np.hanning(_N_FFT + 1)[:-1]
    padded = np.pad(np.asarray(samples, np.float64), ((0, 0), (_N_FFT // 2, _N_FFT // 2)))
    frames = sliding_window_view(padded, _N_FFT, axis=1)[:, ::hop]
    powers = [np.square(np.abs(np.fft.rfft(channel * window))).T for channel in frames]  # each (bins, frames)
    power = np.mean(powers, axis=0) / window.sum() ** 2
    half_row = (_HIGHEST / _LOWEST) ** (0.5 / (_ROWS - 1))
    frequency = np.logspace(math.log10(_LOWEST), math.log10(_HIGHEST), _ROWS)
    edges = np.stack([frequency / half_row, frequency * half_row]) * _N_FFT / sample_rate
    low, high = np.minimum(edges.round().astype(int), _N_FFT // 2)
    rows = [power[first : last + 1].max(0) for first, last in zip(low, high, strict=True)]
    return 10 * np.log10(np.stack(rows) + 1e-20)


def save_spectrograms(
    path: Path,
    truth: Mapping[str, Samples],
    estimate: Mapping[str, Samples],
    scores: Mapping[str, float],
    sample_rate: int,
    error: bool = False,
    metric: str = "SDR",
) -> None:
    """Draw truth and estimate of every stem (each `(C, T)`) side by side, on one colour scale, to a PNG.

    With `error`, a third column shows estimate minus truth. `scores` holds the `metric` of each stem in dB, for the
    titles; NaN marks a silent one. The file appears under its name only when it is whole. Raises `UserError` where it
    can't be written.
    """
    pictures = {}
    for stem in truth:
        shown = [truth[stem], estimate[stem]] + ([estimate[stem] - truth[stem]] if error else [])
        pictures[stem] = [log_spectrogram(samples, sample_rate) for samples in shown]
    loudest = max(float(row[0].max()) for row in pictures.values())
    columns = 3 if error else 2
    figure = new_figure(6 * columns, 2.6 * len(pictures))
    axes = figure.subplots(len(pictures), columns, squeeze=False, sharex=True, sharey=True)
    ticks = {100: "100", 1000: "1k", 10_000: "10k"}
    for row, (stem, drawn) in zip(axes, pictures.items(), strict=True):
        score = "silent" if math.isnan(scores[stem]) else f"{metric} {scores[stem]:.2f} dB"
        titles = (f"{stem}: truth", f"{stem}: estimate, {score}", f"{stem}: error")
        for axis, picture, title in zip(row, drawn, titles[:columns], strict=True):
            image = axis.imshow(
                picture,
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=loudest - _RANGE,
                vmax=loudest,
                extent=(0, truth[stem].shape[-1] / sample_rate, math.log10(_LOWEST), math.log10(_HIGHEST)),
            )
            axis.set_title(title)
        row[0].set_ylabel("frequency, Hz")
        row[0].set_yticks([math.log10(frequency) for frequency in ticks], list(ticks.values()))
    for axis in axes[-1]:
        axis.set_xlabel("time, s")
    figure.colorbar(image, ax=axes, label="level, dB of full scale", shrink=0.5)

    save_figure(figure, path)
