"""A guitar amplifier: waveshaping at four times the rate, tone, and the filter of a speaker in its cabinet."""

from __future__ import annotations

import numpy as np
from scipy.signal import resample_poly

from song_maker.effects import Signal, decibels, high_pass, low_pass, peaking, rms

_OVERSAMPLING = 4
"""Distortion makes overtones without end: at four times the rate those that would fold back are filtered away."""


def amplify(signal: Signal, gain: float, rng: np.random.Generator) -> Signal:
    """Play `(T,)` through a preamplifier of `gain` dB, a power stage and a cabinet drawn by `rng`: `(T,)`, RMS 0.1.

    `gain` is above the level where the loudest parts begin to clip: 5 is crunch, 25 is metal.
    """
    level = rms(signal)
    if level == 0:
        return signal
    tight = high_pass(signal, rng.uniform(70, 160) if gain > 15 else 60.0, 1)
    fed = peaking(tight, rng.uniform(600, 1200), rng.uniform(0, 6), 0.7) / level * 0.3 * decibels(gain)
    oversampled = resample_poly(fed, _OVERSAMPLING, 1)
    # Two stages; the first one's bias makes even overtones, as valves do.
    bias = rng.uniform(0.0, 0.3)
    shaped = np.tanh(oversampled + bias) - np.tanh(bias)
    shaped = resample_poly(np.tanh(1.5 * shaped), 1, _OVERSAMPLING)
    shaped = high_pass(shaped, 40.0, 1)  # the bias left an offset
    cab = cabinet(shaped, rng)
    return cab * (0.1 / max(rms(cab), 1e-9))


def cabinet(signal: Signal, rng: np.random.Generator) -> Signal:
    """Filter `(T,)` like a 12-inch guitar speaker and a microphone: nothing below 80 Hz, little above 5 kHz."""
    sound = high_pass(signal, rng.uniform(65, 110), 2)
    sound = peaking(sound, rng.uniform(100, 180), rng.uniform(1, 5), 1.2)
    sound = peaking(sound, rng.uniform(350, 700), rng.uniform(-8, 0), 0.8)
    sound = peaking(sound, rng.uniform(1800, 3500), rng.uniform(2, 7), 0.9)
    sound = peaking(sound, rng.uniform(4000, 5500), rng.uniform(-4, 3), 2.0)
    return low_pass(sound, rng.uniform(4500, 7500), 4)
