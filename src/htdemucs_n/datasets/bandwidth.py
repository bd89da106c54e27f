"""Up to which frequency a recording has sound: recordings at 16 kHz, or from a codec that cuts its treble, stop short.

A band limit is a cliff in the long-term spectrum: within a few hundred Hz the level falls by tens of dB, and it
stays low above. An instrument that has little treble of its own falls slowly, and has no cliff.

    power of the frames with the most treble, averaged (F,) -> bands of 100 Hz, dB -> closing over 500 Hz
    -> cliffs: all of the 500 Hz below is 20 dB over all that is 800 Hz above, or higher
    -> the first cliff that ends on a flat floor, else the last

The closing (a maximum filter, then a minimum filter) fills the gaps between the partials of a note and leaves the cliff
in its place. 800 Hz is the slope of a good resampler between 16 kHz and 44.1 kHz. What lies between two cliffs and is
not flat is treble of low level, as of a voice under a codec's cut.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_N_FFT = 4096
_LOOKED_AT, _KEPT = 600, 200
"""Frames spread over the recording, and those with the most treble of them, whose spectra are averaged."""

_BAND = 100.0
"""Hz."""

_PLATEAU, _SLOPE = 5, 8
"""Bands below the cliff that must all be loud, and bands that the fall may take."""

_GAP = 5
"""Bands between two partials that count as filled."""

_DROP = 20.0
"""Least depth of a cliff, dB. Filters of instruments, 24 dB an octave, fall by 8 dB over the slope."""

_FLAT = 12.0
"""Range of the levels of a noise floor, dB."""

_LOWEST = 3000.0
"""No format of recordings cuts below this, Hz; a single low note does."""


def bandwidth(samples: NDArray[np.float32] | NDArray[np.int16], sample_rate: int) -> float:
    """The frequency in Hz above which `samples` `(C, T)` hold nothing but the noise floor.

    It is `sample_rate / 2` where the spectrum has no cliff: full-band recordings, instruments without treble,
    silence, and recordings of less than 0.1 s, which are too short to measure. Of a recording limited to f it is f, or
    a little less: where the fall begins. Accurate to a few hundred Hz. The scale of the samples does not matter.
    """
    levels = _closing(_levels(samples, sample_rate))
    cliffs = _cliffs(levels)
    for number, (edge, limit) in enumerate(cliffs, 1):
        floor = levels[edge + _SLOPE : cliffs[number][0]] if number < len(cliffs) else levels[:0]
        if number == len(cliffs) or (len(floor) and np.ptp(floor) <= _FLAT):
            return float(min(sample_rate / 2, limit * _BAND))
    return sample_rate / 2


def _cliffs(levels: NDArray[np.float64]) -> list[tuple[int, int]]:
    """The cliffs in levels per band, lowest first: the band above their plateau, and that in which they fall."""
    # highest_above[i]: the loudest band from i up.
    highest_above = np.maximum.accumulate(levels[::-1])[::-1]
    cliffs: list[tuple[int, int]] = []
    edge = int(_LOWEST / _BAND)
    while edge < len(levels) - _SLOPE // 2:  # nearer, it may be the end of the spectrum
        plateau = levels[edge - _PLATEAU : edge].min()
        if plateau - highest_above[min(edge + _SLOPE, len(levels) - 1)] >= _DROP:
            cliffs.append((edge, edge + int(np.flatnonzero(levels[edge:] < plateau - _DROP / 2)[0])))
            edge += _SLOPE
        edge += 1
    return cliffs


def _levels(samples: NDArray[np.float32] | NDArray[np.int16], sample_rate: int) -> NDArray[np.float64]:
    """Level of every band in dB, `(bands,)`; empty for a recording that is silent or too short."""
    total = samples.shape[1]
    if total < max(_N_FFT, sample_rate // 10):
        return np.zeros(0)
    starts = np.unique(np.linspace(0, total - _N_FFT, min(_LOOKED_AT, 1 + total // _N_FFT)).astype(int))
    frames = np.stack([samples[:, start : start + _N_FFT] for start in starts]).astype(np.float32)  # (frames, C, n_fft)
    # The second difference weighs power by the fourth power of frequency: esses and cymbals count, not the loud bass.
    treble = np.square(np.diff(frames, 2, axis=-1)).sum(axis=(1, 2))
    frames = frames[np.argsort(-treble, kind="stable")[:_KEPT]]
    spectrum = np.fft.rfft(frames * np.hanning(_N_FFT).astype(np.float32), axis=-1)
    power = np.square(np.abs(spectrum)).mean(axis=(0, 1), dtype=np.float64)  # (n_fft / 2 + 1,)
    if not power.any():
        return np.zeros(0)
    frequency = np.arange(len(power)) * sample_rate / _N_FFT
    bands = (frequency / _BAND).astype(int)
    mean = np.bincount(bands, power) / np.maximum(1, np.bincount(bands))
    # Float samples can be exactly 0 up there: nothing lies further than 160 dB below the loudest band.
    return 10 * np.log10(np.maximum(mean, mean.max() * 1e-16))


def _closing(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill valleys narrower than the gap."""
    if not len(levels):
        return levels
    side = _GAP // 2
    highest = sliding_window_view(np.pad(levels, side, mode="edge"), _GAP).max(axis=-1)
    return sliding_window_view(np.pad(highest, side, mode="edge"), _GAP).min(axis=-1)
