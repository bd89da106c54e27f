"""What every stem of the demo song passes through: additive synthesis, filters, panning, placing and reverb.

Clips are float64 arrays of samples at `SAMPLE_RATE`; mono clips are `(T,)`, stereo ones `(2, T)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44_100
"""Samples per second of all that the demo makes, Hz."""

CONTROL_HOP = 64
"""Samples between two control points (1.5 ms): short enough for an attack, long enough to be cheap."""

_CACHED_BLOCKS = 64
"""Control blocks summed at a time: the working set stays in the processor's cache."""

Signal: TypeAlias = NDArray[np.floating[Any]]
Response: TypeAlias = Callable[[Signal], Signal]


def control_points(length: int) -> int:
    """Count the control points that `additive` needs for a clip of `length` samples."""
    return -(-length // CONTROL_HOP) + 1


def additive(phase: Signal, weights: NDArray[np.complexfloating[Any, Any]]) -> Signal:
    """Sum the harmonics of one moving fundamental.

        y[t] = Re sum_k w_k(t) exp(i k phase[t]),   k = 1..K

    Shape:
        phase `(T,)`: of the fundamental, radians.
        weights `(K, F)`: complex amplitude of each harmonic at `F = control_points(T)` points, `CONTROL_HOP`
        samples apart; linear in between.
        Output `(T,)`.
    """
    length, blocks = len(phase), weights.shape[1] - 1
    padded = np.pad(phase, (0, blocks * CONTROL_HOP - length)).reshape(blocks, CONTROL_HOP)
    ramp = np.arange(CONTROL_HOP) / CONTROL_HOP
    steps = np.diff(weights)
    total = np.empty((blocks, CONTROL_HOP))
    for first in range(0, blocks, _CACHED_BLOCKS):
        part = slice(first, first + _CACHED_BLOCKS)
        fundamental = np.exp(1j * padded[part])
        # Powers by repeated product: one exponential for all harmonics.
        harmonic = np.ones_like(fundamental)
        sound = np.zeros_like(fundamental)
        for weight, step in zip(weights[:, :-1][:, part], steps[:, part], strict=True):
            harmonic *= fundamental
            sound += (weight[:, None] + ramp * step[:, None]) * harmonic
        total[part] = sound.real
    return total.reshape(-1)[:length]


def shape_spectrum(noise: Signal, response: Response) -> Signal:
    """Give `noise` `(..., T)` the magnitude `response` (of Hz); circular, so for steady noise only."""
    spectrum = np.fft.rfft(noise)
    frequency = np.fft.rfftfreq(noise.shape[-1], 1 / SAMPLE_RATE)
    shaped: Signal = np.fft.irfft(spectrum * response(frequency), noise.shape[-1])
    return shaped


def high_pass(cutoff: float, order: int = 2) -> Response:
    """Return a Butterworth magnitude that falls below `cutoff` Hz by 6 dB an octave and order."""
    return lambda f: 1 / np.sqrt(1 + (cutoff / np.maximum(f, 1e-3)) ** (2 * order))


def low_pass(cutoff: float, order: int = 2) -> Response:
    """Return a Butterworth magnitude that falls above `cutoff` Hz by 6 dB an octave and order."""
    return lambda f: 1 / np.sqrt(1 + (f / cutoff) ** (2 * order))


def decay(length: int, seconds: float) -> Signal:
    """Return `(T,)`, an exponential that falls by 60 dB in `seconds`."""
    envelope: Signal = np.exp(-np.log(1000) / (seconds * SAMPLE_RATE) * np.arange(length))
    return envelope


def fade_edges(clip: Signal, fade_in: float, fade_out: float) -> Signal:
    """Ramp the first `fade_in` and the last `fade_out` seconds of `clip` `(..., T)`: no clicks."""
    length = clip.shape[-1]
    index = np.arange(length)
    rising = (index + 1) / max(1.0, fade_in * SAMPLE_RATE)
    falling = (length - index) / max(1.0, fade_out * SAMPLE_RATE)
    faded: Signal = clip * np.minimum(1.0, np.minimum(rising, falling))
    return faded


def pan(clip: Signal, position: float) -> Signal:
    """Place mono `clip` `(T,)` at `position`, -1 left to 1 right, at constant power: `(2, T)`."""
    angle = np.pi / 4 * (1 + position)
    return np.stack([np.cos(angle) * clip, np.sin(angle) * clip])


def place(track: Signal, clip: Signal, start: float) -> None:
    """Add `clip` `(2, t)` to `track` `(2, T)` from `start` seconds on; what passes the end is cut."""
    first = round(start * SAMPLE_RATE)
    room = min(clip.shape[-1], track.shape[-1] - first)
    if room > 0:
        track[:, first : first + room] += clip[:, :room]


def reverb(track: Signal, rng: np.random.Generator, seconds: float, wet: float) -> Signal:
    """Add a room to `track` `(2, T)`: convolution with stereo noise that falls by 60 dB in `seconds`.

    `wet` is the room's level beside the direct sound's, a ratio of amplitudes. Each side of the room hears
    both channels and has its own noise, so the tail is wide where the source is narrow.
    """
    length = track.shape[-1]
    size = round(seconds * SAMPLE_RATE)
    tail = shape_spectrum(rng.standard_normal((2, size)), lambda f: high_pass(250)(f) * low_pass(4500, 1)(f))
    tail *= decay(size, seconds)
    tail *= wet / np.sqrt(np.square(tail).sum(axis=1, keepdims=True))
    predelay = np.zeros((2, round(0.012 * SAMPLE_RATE)))
    tail = np.concatenate([predelay, tail], axis=1)

    padded = -(-(length + tail.shape[-1]) // 4096) * 4096  # a length that the FFT likes
    sent = 0.7 * track + 0.3 * track[::-1]
    room: Signal = np.fft.irfft(np.fft.rfft(sent, padded) * np.fft.rfft(tail, padded), padded)
    return track + room[:, :length]
