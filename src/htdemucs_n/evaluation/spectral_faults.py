"""Faults that a listener notices and the SDR hardly counts, read off long-term spectra.

    P[f] = mean over channels and frames of |STFT|^2; frames of 16384 samples, hop 8192, Hann window
    level     10 log10( sum P_estimate / sum P_truth ) over a band                [dB, 0 is right]
    treble    10 log10( sum P_estimate above the mixture's bandwidth / sum P_mixture )   [dB of the mixture]
    lines     the largest 10 log10( P_estimate near a multiple of 5512.5 Hz / median of P_estimate around it )  [dB]

A stem that is too quiet in a band sounds thin or dull. Treble above the bandwidth of the mixture is invented by
the model. Lines are steady tones at multiples of the rate at which transposed convolutions write samples (a stride of 8
at 44.1 kHz); the noise of a spectrum without lines reads as 1 to 3 dB.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

BANDS: Mapping[str, tuple[float, float]] = {
    "level below 250 Hz": (0.0, 250.0),
    "level 250 to 2000 Hz": (250.0, 2000.0),
    "level 2 to 8 kHz": (2000.0, 8000.0),
    "level above 8 kHz": (8000.0, float("inf")),
}
"""The bands of `level_errors` by the names of their metrics, Hz."""

_N_FFT, _HOP = 16384, 8192
_BLOCK = 64 * _HOP
"""Samples that are transformed at once."""

_AUDIBLE = 1e-7
"""A band in which the true stem has less than this share of its power, -70 dB, has no level to compare."""

_LINE_SPACING = 5512.5
_LINE_WIDTH, _SURROUNDINGS = 12.0, 200.0
"""Hz on each side of a line, and of what it is compared with."""

_FLOOR = 1e-12
"""-120 dB, in place of minus infinity."""


def level_errors(truth: Tensor, estimate: Tensor, sample_rate: int) -> dict[str, float]:
    """The level of the spectrum `estimate` over that of `truth`, both `(8193,)`, by the names of `BANDS`, in dB.

    NaN for bands in which the true stem holds nothing.
    """
    frequencies = torch.fft.rfftfreq(_N_FFT, 1 / sample_rate)
    errors = {}
    for name, (low, high) in BANDS.items():
        inside = (frequencies >= low) & (frequencies < high)
        level = float(truth[inside].sum())
        audible = level > _AUDIBLE * float(truth.sum())
        errors[name] = _decibels(float(estimate[inside].sum()) / level) if audible else float("nan")
    return errors


def excess_treble(estimate: Tensor, mixture: Tensor, bandwidth: float, sample_rate: int) -> float:
    """The energy of the spectrum `estimate` above the mixture's `bandwidth`, in dB of that of `mixture`, at least -120.

    Both spectra are `(8193,)`; the bandwidth is in Hz, from `htdemucs_n.datasets.bandwidth`. NaN for a mixture that has
    sound up to half its sample rate.
    """
    limit = bandwidth + 500  # the cliff itself is a few hundred Hz wide
    if limit >= sample_rate / 2:
        return float("nan")
    above = torch.fft.rfftfreq(_N_FFT, 1 / sample_rate) > limit
    return _decibels(float(estimate[above].sum() / mixture.sum()))


def line_height(spectrum: Tensor, sample_rate: int) -> float:
    """How far the strongest line of `spectrum` `(8193,)` stands out of the spectrum around it, in dB.

    NaN for a silent estimate and for rates that hold no multiple of 5512.5 Hz.
    """
    frequencies = torch.fft.rfftfreq(_N_FFT, 1 / sample_rate)
    heights = []
    for multiple in range(1, int((sample_rate / 2 - _SURROUNDINGS) / _LINE_SPACING) + 1):
        distance = (frequencies - multiple * _LINE_SPACING).abs()
        near = spectrum[distance < _LINE_WIDTH].max()
        around = spectrum[(distance >= _LINE_WIDTH) & (distance < _SURROUNDINGS)].median()
        if around > 0:
            heights.append(_decibels(float(near / around)))
    return max(heights, default=float("nan"))


def long_term_spectrum(audio: Tensor) -> Tensor:
    """The power of `(C, T)` by frequency, `(8193,)`, float64: the mean over channels and whole frames.

    The samples behind the last whole frame do not count: the step at the end of a padded frame would look like treble.
    """
    padded = torch.nn.functional.pad(audio, (0, max(0, _N_FFT - audio.shape[-1])))
    window = torch.hann_window(_N_FFT, dtype=audio.dtype)
    total, frames = torch.zeros(_N_FFT // 2 + 1, dtype=torch.float64), 0
    for start in range(0, padded.shape[-1] - _N_FFT + 1, _BLOCK):
        block = padded[:, start : start + _BLOCK + _N_FFT - _HOP]
        power = torch.stft(block, _N_FFT, _HOP, window=window, center=False, return_complex=True).abs().square()
        total += power.double().sum(dim=(0, 2))
        frames += power.shape[0] * power.shape[2]
    return total / frames


def _decibels(ratio: float) -> float:
    return 10 * float(torch.log10(torch.tensor(max(ratio, _FLOOR), dtype=torch.float64)))
