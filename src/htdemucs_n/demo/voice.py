"""The sung-like lead: a glottal pulse train through the formants of vowels, with breath and consonants.

The source-filter model of speech (Fant, "Acoustic Theory of Speech Production", 1960), one harmonic at a
time: harmonic k of the gliding pitch has the amplitude of the glottal spectrum at k f0, times the complex
response of the vocal tract there, which moves from vowel to vowel. Breath is noise through the same tract,
consonants are noise in a band of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.demo.effects import CONTROL_HOP, SAMPLE_RATE, Signal, additive, control_points, pan, place
from htdemucs_n.demo.score import Note

_CONTROL_RATE = SAMPLE_RATE / CONTROL_HOP
_LEAD_IN = 0.35
"""Seconds before a phrase's first note: the breath."""

_VOWELS = {
    "a": (730, 1090, 2440, 3300, 4200),
    "e": (530, 1840, 2480, 3400, 4300),
    "i": (290, 2190, 2950, 3500, 4400),
    "o": (500, 900, 2410, 3200, 4100),
    "u": (320, 850, 2240, 3200, 4100),
}
"""Formant frequencies, Hz (the first three after Peterson and Barney, 1952)."""

_NASAL = (260, 1150, 2300, 3300, 4200)
"""Formants while the mouth is closed, Hz."""

_UPPER = (5200, 6200, 7200, 8300)
"""Formants that no vowel moves, Hz: without them a cascade is silent above 5 kHz."""

_BANDWIDTHS = (70.0, 90.0, 120.0, 180.0, 250.0, 320.0, 400.0, 480.0, 560.0)
"""Formant bandwidths, Hz."""


def _formants(frequencies: tuple[int, ...]) -> Signal:
    return np.array([*frequencies, *_UPPER], dtype=np.float64)[:, None]


@dataclass(frozen=True)
class _Consonant:
    """`seconds` long; the voice goes on at `voiced` of its level, and noise at `noise` around `centre` Hz."""

    seconds: float
    voiced: float
    noise: float = 0.0
    centre: float = 3000.0


_CONSONANTS = {
    "": _Consonant(0.0, 1.0),
    "l": _Consonant(0.06, 0.5),
    "n": _Consonant(0.07, 0.4),
    "m": _Consonant(0.07, 0.4),
    "d": _Consonant(0.04, 0.15, 0.4, 3500),
    "s": _Consonant(0.10, 0.0, 0.9, 7500),
    "sh": _Consonant(0.11, 0.0, 0.9, 3600),
    "f": _Consonant(0.08, 0.0, 0.4, 6000),
    "h": _Consonant(0.07, 0.1, 0.35, 1500),
    "t": _Consonant(0.05, 0.0, 0.8, 5000),
    "k": _Consonant(0.05, 0.0, 0.7, 2200),
}


def render_voice(notes: Sequence[Note], length: int, rng: np.random.Generator) -> Signal:
    """Sing `notes` into a track `(2, T)` of `length` samples; after a rest of 0.25 s a new phrase."""
    # A high singer's vocal tract is shorter: all formants move up together.
    tract = 1.12 if np.median([note.pitch for note in notes]) > 60 else 1.0
    phrases: list[list[Note]] = []
    for note in notes:
        if note.start * SAMPLE_RATE >= length:
            break
        if not phrases or note.start - (phrases[-1][-1].start + phrases[-1][-1].length) > 0.25:
            phrases.append([])
        phrases[-1].append(note)

    track = np.zeros((2, length))
    for phrase in phrases:
        sound = _sing(phrase, tract, rng)
        start = phrase[0].start - _LEAD_IN
        if start < 0:  # the song begins with the first note: no time to breathe
            sound, start = sound[round(-start * SAMPLE_RATE) :], 0.0
        place(track, pan(sound, 0.0), start)
    return track


@dataclass(frozen=True)
class _Gestures:
    """What a singer does through a phrase, at its control points, before muscles smooth it."""

    pitch: Signal
    """`(F,)`, MIDI."""
    vibrato: Signal
    """`(F,)`, 0 to 1."""
    voiced: Signal
    """`(F,)`, level of the glottal pulses."""
    formants: Signal
    """`(9, F)`, Hz."""
    hiss: Signal
    """`(2, F)`: level of the consonants' noise and its centre in Hz."""


def _articulate(phrase: Sequence[Note], begin: float, time: Signal) -> _Gestures:
    """Turn the notes of a phrase into gestures at `time` `(F,)`, seconds after `begin`."""
    points = len(time)
    score = _Gestures(
        pitch=np.full(points, float(phrase[0].pitch)),
        vibrato=np.zeros(points),
        voiced=np.zeros(points),
        formants=np.tile(_formants(_VOWELS[phrase[0].syllable[-1]]), points),
        hiss=np.tile([[0.0], [3000.0]], points),
    )
    for note in phrase:
        consonant, vowel_formants = _CONSONANTS[note.syllable[:-1]], _formants(_VOWELS[note.syllable[-1]])
        since = time - (note.start - begin)
        # Singers put the vowel on the beat: the consonant comes before it.
        started = since >= -consonant.seconds
        opening = started & (since < 0)
        vowel = (since >= 0) & (since < note.length - 0.02)
        score.pitch[started] = note.pitch
        score.vibrato[vowel] = np.clip((since[vowel] - 0.22) / 0.3, 0, 1)
        score.voiced[opening] = consonant.voiced * note.velocity
        score.voiced[vowel] = note.velocity * (1 - 0.25 * since[vowel] / note.length)
        score.formants[:, started] = vowel_formants
        if note.syllable[0] in "mn":
            score.formants[:, opening] = _formants(_NASAL)
        score.hiss[:, opening] = [[consonant.noise * note.velocity], [consonant.centre]]
    return score


def _sing(phrase: Sequence[Note], tract: float, rng: np.random.Generator) -> Signal:
    """Return the sound `(T,)` of one phrase; it begins `_LEAD_IN` seconds before the first note."""
    begin = phrase[0].start - _LEAD_IN
    size = round((phrase[-1].start + phrase[-1].length + 0.2 - begin) * SAMPLE_RATE)
    points = control_points(size)
    time = np.arange(points) / _CONTROL_RATE
    gestures = _articulate(phrase, begin, time)

    wave = np.sin(2 * np.pi * 5.4 * time + rng.uniform(0, 2 * np.pi))
    drift = _glide(rng.standard_normal(points), 0.08) * np.sqrt(0.08 * _CONTROL_RATE)
    pitch = _glide(gestures.pitch, 0.07) + 0.3 * _glide(gestures.vibrato, 0.1) * wave + 0.04 * drift
    fundamental = 440 * 2 ** ((pitch - 69) / 12)
    voiced = _glide(gestures.voiced, 0.035)
    formants = tract * _glide(gestures.formants, 0.07)

    frequency = np.arange(1, int(9000 / fundamental.min()) + 1)[:, None] * fundamental
    weights = voiced * _glottis(frequency, fundamental) * _tract(frequency, formants)
    sampled = np.interp(np.arange(size), np.arange(points) * CONTROL_HOP, fundamental)
    sung = additive(2 * np.pi * np.cumsum(sampled) / SAMPLE_RATE, weights)

    inhaling = 0.02 * np.exp(-0.5 * ((time - 0.5 * _LEAD_IN) / 0.06) ** 2)
    hiss = np.stack([_glide(gestures.hiss[0], 0.015), gestures.hiss[1]])
    return sung + _turbulence(size, 0.03 * voiced + inhaling, formants, hiss, rng)


def _glide(contour: Signal, seconds: float) -> Signal:
    """Smooth `contour` `(..., F)` with a Hann window of `seconds`: muscles don't jump."""
    half = max(1, round(seconds * _CONTROL_RATE / 2))
    window = np.hanning(2 * half + 3)[1:-1]
    window /= window.sum()
    rows = np.pad(np.atleast_2d(contour), ((0, 0), (half, half)), mode="edge")
    smooth = np.stack([np.convolve(row, window, mode="valid") for row in rows])
    return smooth.reshape(contour.shape)


def _glottis(frequency: Signal, fundamental: Signal) -> Signal:
    """Amplitude of a strong voice's radiated glottal pulses: -4.5 dB an octave."""
    return (fundamental / frequency) ** 0.75


def _tract(frequency: Signal, formants: Signal) -> NDArray[np.complex128]:
    """Complex response of the formants `(9, F)` in cascade at `frequency` `(K, F)`, 1 at 0 Hz."""
    response = np.ones(np.broadcast_shapes(frequency.shape, formants[0].shape), dtype=np.complex128)
    for centre, bandwidth in zip(formants, _BANDWIDTHS, strict=True):
        response *= centre**2 / (centre**2 - frequency**2 + 1j * frequency * bandwidth)
    return response


def _turbulence(size: int, breath: Signal, formants: Signal, hiss: Signal, rng: np.random.Generator) -> Signal:
    """Return noise `(T,)` that follows the tract (`breath`, a level) and the consonants (`hiss`)."""
    window_size, hop = 512, 128
    window = np.sqrt(np.hanning(window_size + 1)[:-1])
    frames = size // hop + 1
    padded = rng.standard_normal((frames - 1) * hop + window_size)
    pieces = np.lib.stride_tricks.sliding_window_view(padded, window_size)[::hop] * window
    centres = np.minimum((np.arange(frames) * hop) // CONTROL_HOP, len(breath) - 1)
    frequency = np.fft.rfftfreq(window_size, 1 / SAMPLE_RATE)[:, None]
    band = np.exp(-0.5 * (np.log2(np.maximum(frequency, 20) / hiss[1, centres]) / 0.45) ** 2)
    tract = np.abs(_tract(frequency, formants[:, centres])) / (1 + (frequency / 8000) ** 2)
    gain = breath[centres] * tract + 0.5 * hiss[0, centres] * band
    shaped = np.fft.irfft(np.fft.rfft(pieces) * gain.T, window_size) * window
    total = np.zeros(len(padded))
    for frame, piece in enumerate(shaped):
        total[frame * hop : frame * hop + window_size] += piece
    half = window_size // 2
    aligned = np.pad(total, (0, half))[half : half + size]
    return aligned / 2  # the squared windows of four overlapping frames sum to 2
