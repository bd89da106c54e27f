"""The pitched instruments of the demo song: synth bass, electric piano, plucked guitar and pad."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from htdemucs_n.demo.effects import (
    CONTROL_HOP,
    SAMPLE_RATE,
    Signal,
    additive,
    control_points,
    decay,
    fade_edges,
    pan,
    place,
)
from htdemucs_n.demo.score import Note


def hertz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch (69 is 440 Hz), equal temperament."""
    return float(440 * 2 ** ((pitch - 69) / 12))


def render_notes(notes: Sequence[Note], length: int, play: Callable[[Note], Signal]) -> Signal:
    """Play `notes` with the instrument `play` (a note to a clip `(2, t)`) into a track `(2, T)`."""
    track = np.zeros((2, length))
    for note in notes:
        if note.start * SAMPLE_RATE < length:
            place(track, note.velocity * play(note), note.start)
    return track


def bass(note: Note) -> Signal:
    """Sawtooth through a resonant low-pass that closes after the attack; mono, as a bass is."""
    pitch = hertz(note.pitch)
    size = round((note.length + 0.04) * SAMPLE_RATE)
    time, harmonic = _grid(size, 24)
    cutoff = 180 + (300 + 700 * note.velocity) * np.exp(-time / 0.12)
    weights = _resonant_low_pass(harmonic * pitch, cutoff, quality=1.4) / harmonic
    sound = additive(_phase(pitch, size), -1j * weights)
    level = 0.65 + 0.35 * np.exp(-np.arange(size) / (0.25 * SAMPLE_RATE))
    return pan(fade_edges(sound * level, 0.004, 0.05), 0.0)


def electric_piano(note: Note) -> Signal:
    """Two operators of frequency modulation for the tine's body, a high one for its strike; slow tremolo."""
    pitch = hertz(note.pitch)
    size = round((note.length + 0.25) * SAMPLE_RATE)
    phase = _phase(pitch, size)
    bark = (0.5 + 1.6 * note.velocity) * decay(size, 1.2)
    body = np.sin(phase + bark * np.sin(phase))
    strike = 0.25 * note.velocity * np.sin(14 * phase) * decay(size, 0.15)
    sound = fade_edges((body * decay(size, 3.5) + strike), 0.002, 0.2)
    # The tremolo swings between the sides; its clock is the song's, so all notes swing together.
    swing = 0.35 * np.sin(2 * np.pi * 4.8 * (note.start + np.arange(size) / SAMPLE_RATE))
    sides: Signal = np.sqrt(0.5) * np.stack([1 + swing, 1 - swing]) * sound
    return sides


def guitar(note: Note) -> Signal:
    """A string plucked at a fifth of its length, whose high harmonics die first; left of the middle."""
    pitch = hertz(note.pitch)
    size = round((note.length + 0.5) * SAMPLE_RATE)
    time, harmonic = _grid(size, min(24, int(9000 / pitch)))
    pluck = np.sin(np.pi * harmonic / 5) / harmonic * np.exp(-harmonic / (8 + 20 * note.velocity))
    weights = pluck * np.exp(-time * (1.6 + 0.45 * harmonic))
    return pan(fade_edges(additive(_phase(pitch, size), -1j * weights), 0.001, 0.1), -0.5)


def pad(note: Note) -> Signal:
    """Two soft sawtooths a side, all four out of tune with each other: wide and slow."""
    size = round((note.length + 0.6) * SAMPLE_RATE)
    time, harmonic = _grid(size, 8)
    cutoff = 1100 + 500 * np.sin(2 * np.pi * 0.15 * (note.start + time))
    weights = _resonant_low_pass(harmonic * hertz(note.pitch), cutoff, quality=0.7) / harmonic
    sides = []
    for first_cents, second_cents in ((-9, 4), (-4, 9)):
        side = additive(_phase(hertz(note.pitch + first_cents / 100), size), -1j * weights)
        side += additive(_phase(hertz(note.pitch + second_cents / 100), size) + 2.1, -1j * weights)
        sides.append(fade_edges(side / 2, 0.2, 0.6))
    return np.stack(sides)


def _phase(pitch: float, size: int) -> Signal:
    return 2 * np.pi * pitch / SAMPLE_RATE * np.arange(size)


def _grid(size: int, harmonics: int) -> tuple[Signal, Signal]:
    """Return control times `(1, F)` in seconds and harmonic numbers `(K, 1)`."""
    time = np.arange(control_points(size)) * CONTROL_HOP / SAMPLE_RATE
    return time[None], np.arange(1, harmonics + 1, dtype=np.float64)[:, None]


def _resonant_low_pass(frequency: Signal, cutoff: Signal, quality: float) -> Signal:
    """Magnitude of the two-pole low-pass at `frequency` Hz; `quality` above 0.7 peaks at the cutoff."""
    ratio = frequency / cutoff
    return 1 / np.sqrt((1 - ratio**2) ** 2 + (ratio / quality) ** 2)
