"""Effects of a mixing desk: filters, compressor, saturation, delay, chorus, rooms, stereo placing.

All take and give float64 arrays of samples at `RATE`, full scale 1.0: mono `(T,)`, stereo `(2, T)`, or `(..., T)`.
Filter equations: Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients".
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, oaconvolve, resample_poly, sosfilt

RATE = 44_100
"""Samples per second of all that is made, Hz."""

Signal: TypeAlias = NDArray[np.floating[Any]]


def decibels(level: float) -> float:
    """`level`, a ratio of amplitudes, from dB."""
    return float(10 ** (level / 20))


def rms(signal: Signal) -> float:
    """Root mean square over all samples and channels."""
    return float(np.sqrt(np.mean(np.square(signal)))) if signal.size else 0.0


def levelled(signal: Signal, level: float = 0.1) -> Signal:
    """`(..., T)` at an RMS of `level`; silence stays silence."""
    now = rms(signal)
    return signal * (level / now) if now > 1e-6 else signal


def high_pass(signal: Signal, cutoff: float, order: int = 2) -> Signal:
    """Butterworth high-pass at `cutoff` Hz."""
    filtered: Signal = sosfilt(butter(order, cutoff, "high", fs=RATE, output="sos"), signal)
    return filtered


def low_pass(signal: Signal, cutoff: float, order: int = 2) -> Signal:
    """Butterworth low-pass at `cutoff` Hz; nothing at 20 kHz and above."""
    if cutoff >= 20_000:
        return signal
    filtered: Signal = sosfilt(butter(order, cutoff, "low", fs=RATE, output="sos"), signal)
    return filtered


def peaking(signal: Signal, centre: float, gain: float, quality: float = 1.0) -> Signal:
    """Raise or lower the band around `centre` Hz by `gain` dB."""
    amplitude, angle = 10 ** (gain / 40), 2 * np.pi * centre / RATE
    alpha = np.sin(angle) / (2 * quality)
    numerator = [1 + alpha * amplitude, -2 * np.cos(angle), 1 - alpha * amplitude]
    denominator = [1 + alpha / amplitude, -2 * np.cos(angle), 1 - alpha / amplitude]
    return _biquad(signal, numerator, denominator)


def shelf(signal: Signal, corner: float, gain: float, high: bool) -> Signal:
    """Raise or lower all above `corner` Hz (`high`), or all below it, by `gain` dB; slope 1."""
    amplitude, angle = 10 ** (gain / 40), 2 * np.pi * corner / RATE
    sign = -1.0 if high else 1.0
    cosine, root = np.cos(angle), np.sqrt(2 * amplitude) * np.sin(angle)
    plus, minus = amplitude + 1, amplitude - 1
    numerator = [
        amplitude * (plus - sign * minus * cosine + root),
        sign * 2 * amplitude * (minus - sign * plus * cosine),
        amplitude * (plus - sign * minus * cosine - root),
    ]
    denominator = [
        plus + sign * minus * cosine + root,
        -sign * 2 * (minus + sign * plus * cosine),
        plus + sign * minus * cosine - root,
    ]
    return _biquad(signal, numerator, denominator)


def _biquad(signal: Signal, numerator: list[float], denominator: list[float]) -> Signal:
    section = np.array([[*numerator, *denominator]]) / denominator[0]
    filtered: Signal = sosfilt(section, signal)
    return filtered


_CONTROL = 32
"""Samples between two gains of the compressor: 0.7 ms, shorter than any attack worth hearing."""


def compress(
    signal: Signal, threshold: float, ratio: float, attack: float = 0.01, release: float = 0.15, knee: float = 6.0
) -> Signal:
    """Lower what is louder than `threshold` dB: `ratio` dB more at the input give 1 dB more at the output."""
    return signal * compressor_gain(signal, threshold, ratio, attack, release, knee)


def compressor_gain(
    signal: Signal, threshold: float, ratio: float, attack: float = 0.01, release: float = 0.15, knee: float = 6.0
) -> Signal:
    """The gain `(T,)` by which `compress` multiplies `(..., T)`.

    One gain for all channels, from the peaks of 32 samples, smoothed with `attack` and `release` seconds; a soft
    knee of `knee` dB. Source: Giannoulis et al., "Digital dynamic range compressor design", JAES 60(6), 2012.
    """
    length = signal.shape[-1]
    blocks = -(-length // _CONTROL)
    peaks = np.abs(np.atleast_2d(signal)).max(axis=0)
    peaks = np.pad(peaks, (0, blocks * _CONTROL - length)).reshape(blocks, _CONTROL).max(axis=1)
    over = 20 * np.log10(peaks + 1e-9) - threshold
    slope = 1 - 1 / ratio
    inside = slope * (over + knee / 2) ** 2 / (2 * knee)
    wanted = np.where(over < -knee / 2, 0.0, np.where(over > knee / 2, slope * over, inside))
    rise, fall = (float(np.exp(-_CONTROL / (RATE * max(seconds, 1e-4)))) for seconds in (attack, release))
    reduction, now = np.empty(blocks + 1), 0.0
    for index, target in enumerate(wanted.tolist()):
        weight = rise if target > now else fall
        now = weight * now + (1 - weight) * target
        reduction[index] = now
    reduction[-1] = now
    gain = 10 ** (-reduction / 20)
    steps = np.linspace(0, 1, _CONTROL, endpoint=False)
    smooth: Signal = gain[:-1, None] + steps * np.diff(gain)[:, None]
    return smooth.reshape(-1)[:length]


def saturate(signal: Signal, drive: float) -> Signal:
    """Soften peaks like tape: tanh, with unit gain for small signals; `drive` in dB is how hot it is fed."""
    hot = decibels(drive)
    return np.tanh(signal * hot) / hot


def limit(signal: Signal, ceiling: float) -> Signal:
    """Keep peaks below `ceiling` (full scale 1.0): a fast compressor, then what is left is clipped."""
    held = compress(signal, 20 * np.log10(ceiling) - 1.0, 20.0, attack=0.0005, release=0.06, knee=2.0)
    return np.clip(held, -ceiling, ceiling)


def pan(signal: Signal, position: float) -> Signal:
    """Place `(T,)` at `position`, -1 left to 1 right, at constant power: `(2, T)`. Stereo `(2, T)` is balanced."""
    angle = np.pi / 4 * (1 + position)
    left, right = np.sqrt(2) * np.cos(angle), np.sqrt(2) * np.sin(angle)
    if signal.ndim == 1:
        return np.stack([left * signal, right * signal]) / np.sqrt(2)
    return signal * np.array([[left], [right]])


def widen(signal: Signal, width: float) -> Signal:
    """Scale the side signal of `(2, T)`: 0 is mono, 1 leaves it."""
    mid, side = signal.mean(axis=0), (signal[0] - signal[1]) / 2 * width
    return np.stack([mid + side, mid - side])


def delay(signal: Signal, seconds: float, feedback: float, wet: float, damping: float = 4000.0) -> Signal:
    """Add echoes of `(2, T)` `seconds` apart: the first at gain `wet`, each next one duller and `feedback` times it."""
    step = max(1, round(seconds * RATE))
    total, echo, gain = signal.copy(), signal, wet
    for number in range(1, 8):
        if gain < 0.02 or number * step >= signal.shape[-1]:
            break
        echo = low_pass(echo[::-1], damping, 1)
        total[:, number * step :] += gain * echo[:, : -number * step]
        gain *= feedback
    return total


def chorus(signal: Signal, rng: np.random.Generator, depth: float = 0.003, wet: float = 0.5) -> Signal:
    """Add to `(T,)` or `(2, T)` a copy for each side whose delay slowly moves by `depth` seconds: `(2, T)`."""
    stereo = np.stack([signal, signal]) if signal.ndim == 1 else signal
    time = np.arange(signal.shape[-1])
    moved = np.empty_like(stereo)
    for side in range(2):
        wave = np.sin(2 * np.pi * rng.uniform(0.2, 1.2) * time / RATE + rng.uniform(0, 2 * np.pi))
        moved[side] = np.interp(time - RATE * depth * (1.5 + wave), time, stereo[side])
    return (stereo + wet * moved) / (1 + 0.5 * wet)


def tremolo(signal: Signal, rate: float, depth: float) -> Signal:
    """Move the gain of `(..., T)` `rate` times a second between 1 and 1 - `depth`."""
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * rate * np.arange(signal.shape[-1]) / RATE)
    return signal * (1 - depth * wave)


def room_response(rng: np.random.Generator, seconds: float, damping: float, predelay: float = 0.01) -> Signal:
    """Impulse response `(2, N)` of a made-up room, energy 1 a side: early reflections, then noise that decays.

    The noise falls by 60 dB in `seconds`; treble falls faster, the more so the lower `damping` Hz is. Source: Moorer,
    "About this reverberation business", Computer Music Journal 3(2), 1979.
    """
    length = max(64, round(min(seconds * 1.1, 4.0) * RATE))
    time = np.arange(length) / RATE
    tail = rng.standard_normal((2, length))
    bright = tail * np.exp(-6.9 * time / (0.35 * seconds))
    dull = low_pass(tail, damping, 1) * np.exp(-6.9 * time / seconds)
    onset = np.clip(time / 0.02, 0, 1)
    response = (0.5 * bright + dull) * onset
    scale = float(np.sqrt(np.mean(dull[:, : max(1, length // 4)] ** 2)))
    for _ in range(10):
        place = rng.uniform(0.003, 0.05) * min(1.0, 0.4 + seconds)
        side, index = int(rng.integers(2)), round(place * RATE)
        if index < length:
            response[side, index] += scale * rng.uniform(3, 9) * rng.choice([-1, 1])
    response = np.pad(response, ((0, 0), (round(predelay * RATE), 0)))
    return response / np.sqrt(np.sum(response**2, axis=1, keepdims=True))


def reverberate(signal: Signal, response: Signal, wet: float) -> Signal:
    """Add to `(2, T)` its sound in a room `(2, N)`, `wet` times as loud; what passes the end is cut.

    The room is fed in mono, so that its sound is wide where the source is narrow.
    """
    mono = high_pass(signal.mean(axis=0), 120.0, 1)
    echo = oaconvolve(np.broadcast_to(mono, (2, len(mono))), response, axes=1)[:, : signal.shape[-1]]
    return signal + wet * echo


def resample(signal: Signal, ratio: float) -> Signal:
    """Play `(..., T)` `ratio` times as fast: shorter and higher, by a band-limited filter (ratio within 1/100)."""
    up, down = 100, round(100 * ratio)
    played: Signal = resample_poly(signal, up, down, axis=-1)
    return played
