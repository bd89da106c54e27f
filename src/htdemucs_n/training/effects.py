"""What a studio does to a stem, on whatever device it lies: plain functions of tensors and explicit numbers.

All work on whole crops and keep their length. Filters are applied in the frequency domain, so a crop wraps round at
its ends, which is no worse than the cut that made it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_LOWEST, _HIGHEST = 60.0, 16000.0
"""Hz between which the points of an equaliser curve lie, evenly in octaves."""

_STRETCH_WINDOW = 2048
"""Samples, 46 ms: two periods of the lowest bass, and short enough not to repeat a snare."""

_LEVEL_HOP = 512
"""Samples between two values of a compressor's level, 12 ms."""


def equalise(audio: Tensor, gains_db: Sequence[float], sample_rate: int) -> Tensor:
    """Scale the spectrum of `(..., T)` along a curve through `gains_db`, with no change of phase.

    The points lie evenly in octaves from 60 Hz to 16 kHz; between them dB run straight, outside they stay level.
    """
    frequencies = torch.fft.rfftfreq(audio.shape[-1], 1 / sample_rate, device=audio.device).clamp_min(1.0)
    place = torch.log(frequencies / _LOWEST) / math.log(_HIGHEST / _LOWEST) * (len(gains_db) - 1)
    place = place.clamp(0, len(gains_db) - 1)
    points = torch.tensor(gains_db, dtype=torch.float32, device=audio.device)
    left = place.floor().long().clamp_max(max(0, len(gains_db) - 2))
    curve = torch.lerp(points[left], points[(left + 1).clamp_max(len(gains_db) - 1)], place - left)
    return torch.fft.irfft(torch.fft.rfft(audio) * 10 ** (curve / 20), n=audio.shape[-1])


def resampled(audio: Tensor, length: int) -> Tensor:
    """Play `(..., T)` faster or slower so that it lasts `length` samples; pitch moves with it.

    Band-limited: the spectrum of the whole crop is cut or zero-padded, which is exact for a periodic
    signal; the wrap-around at the ends of a crop is no worse than the cut that made it.
    """
    if audio.shape[-1] == length:
        return audio
    spectrum = torch.fft.rfft(audio.float())
    return torch.fft.irfft(spectrum, n=length) * (length / audio.shape[-1])


def shift_pitch(audio: Tensor, semitones: float) -> Tensor:
    """`(C, T)` higher or lower at its own tempo: stretched, then played that much faster."""
    length = audio.shape[-1]
    return resampled(stretched(audio, round(length * 2 ** (semitones / 12))), length)


def stretched(audio: Tensor, length: int) -> Tensor:
    """`(C, T)` made to last `length` samples, T / 4 or more, at its own pitch (WSOLA, Verhelst and Roelands, 1993).

    Windows are laid over each other at a fixed hop. Each is taken from about where it should come from, at the place
    within 12 ms that goes on most like what the window before it would have gone on with; channels stay together.
    """
    reach, hop = _STRETCH_WINDOW // 4, _STRETCH_WINDOW // 2
    window = torch.hann_window(_STRETCH_WINDOW, device=audio.device)
    slower = length / audio.shape[-1]
    count = -(-length // hop) + 1
    padded = F.pad(audio, (hop + reach, 2 * _STRETCH_WINDOW + reach + hop))
    mono = padded.mean(dim=0)
    power = F.pad(mono.double().square().cumsum(dim=0), (1, 0))
    out = audio.new_zeros(audio.shape[0], (count + 1) * hop)
    place = reach
    for number in range(count):
        if number:
            first = round(number * hop / slower)  # of the places that are searched; the middle one would be exact
            follows = torch.fft.rfft(mono[place + hop : place + hop + _STRETCH_WINDOW], 2 * _STRETCH_WINDOW)
            around = torch.fft.rfft(mono[first : first + _STRETCH_WINDOW + 2 * reach], 2 * _STRETCH_WINDOW)
            likeness = torch.fft.irfft(around * follows.conj())[: 2 * reach + 1]
            ends = power[first + _STRETCH_WINDOW : first + _STRETCH_WINDOW + 2 * reach + 1]
            energy = ends - power[first : first + 2 * reach + 1]
            place = first + int((likeness / energy.clamp_min(1e-9).sqrt()).argmax())
        out[:, number * hop : number * hop + _STRETCH_WINDOW] += padded[:, place : place + _STRETCH_WINDOW] * window
    return out[:, hop : hop + length]


def reverberate(audio: Tensor, response: Tensor, wet: float) -> Tensor:
    """`audio` `(C, T)` plus `wet` times its convolution with `response` `(C, N)`; what rings on past T is cut."""
    total = audio.shape[-1] + response.shape[-1]
    n = 1 << (total - 1).bit_length()
    tail = torch.fft.irfft(torch.fft.rfft(audio, n) * torch.fft.rfft(response, n), n)[..., : audio.shape[-1]]
    return audio + wet * tail


def room_response(noise: Tensor, seconds: float, sample_rate: int) -> Tensor:
    """Noise `(C, N)` made the response of a room whose sound falls by 60 dB in `seconds`; its energy is 1 a channel."""
    time = torch.arange(noise.shape[-1], device=noise.device) / sample_rate
    decayed = noise * 10 ** (-3 * time / seconds)
    return decayed / decayed.square().sum(dim=-1, keepdim=True).sqrt().clamp_min(1e-8)


def saturate(audio: Tensor, drive: float) -> Tensor:
    """tanh of `audio` `(C, T)` at `drive` times its RMS level, brought back to the RMS it had."""
    rms = audio.square().mean().sqrt().clamp_min(1e-8)
    driven = torch.tanh(audio * (drive / rms))
    return driven * (rms / driven.square().mean().sqrt().clamp_min(1e-8))


def compression_gain(mixture: Tensor, threshold_db: float, ratio: float) -> Tensor:
    """The gain `(T,)` by which a bus compressor holds `(C, T)` down.

    Above the threshold, in dB relative to the RMS of the whole, a level of x dB more comes out as x / ratio more. The
    level is the RMS over about 50 ms, followed without delay.
    """
    length = mixture.shape[-1]
    power = F.avg_pool1d(mixture.square().mean(dim=0)[None], _LEVEL_HOP, ceil_mode=True)  # (1, blocks)
    power = F.avg_pool1d(F.pad(power, (2, 2), mode="replicate"), 5, stride=1)
    over = 10 * torch.log10(power / mixture.square().mean().clamp_min(1e-12) + 1e-12) - threshold_db
    gain_db = -over.clamp_min(0) * (1 - 1 / ratio)
    gain = 10 ** (F.interpolate(gain_db[None], size=length, mode="linear", align_corners=False) / 20)
    return gain[0, 0]
