"""A subtractive synthesizer: detuned saws or pulses, an envelope, and a low-pass filter that each note opens.

Oscillators are band-limited with polynomial corrections at their jumps (PolyBLEP). Source: Valimaki and Huovilainen,
"Antialiasing oscillators in subtractive synthesis", IEEE Signal Processing Magazine 24(2), 2007.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from song_maker.effects import RATE, Signal, low_pass, peaking
from song_maker.notes import Note


@dataclass(frozen=True)
class Patch:
    """The settings of the synthesizer."""

    wave: str = "saw"
    """`saw`, `pulse` or `sine`."""
    voices: int = 5
    detune: float = 0.12
    """Semitones from the lowest voice to the highest."""
    sub: float = 0.0
    """Gain of a sine one octave below."""
    attack: float = 0.01
    decay: float = 0.3
    sustain: float = 0.7
    """Level after the decay, of 1."""
    release: float = 0.15
    cutoff: float = 800.0
    """Hz, where the filter rests."""
    sweep: float = 3.0
    """Octaves by which a note opens the filter."""
    sweep_decay: float = 0.4
    """Seconds in which it closes again."""
    resonance: float = 4.0
    """dB at the cutoff."""


def oscillator(wave: str, phase: Signal, step: Signal | float) -> Signal:
    """A wave `(T,)` of amplitude 1 at `phase` `(T,)` in cycles, which moves by `step` cycles a sample."""
    if wave == "sine":
        return np.sin(2 * np.pi * phase)
    turn = phase % 1.0
    if wave == "saw":
        return 2 * turn - 1 - _blep(turn, step)
    half = (turn + 0.5) % 1.0
    return np.where(turn < 0.5, 1.0, -1.0) + _blep(turn, step) - _blep(half, step)


def _blep(turn: Signal, step: Signal | float) -> Signal:
    """What rounds a jump of height 2 at phase 0, for phases `turn` in [0, 1)."""
    after, before = turn / step, (turn - 1) / step
    return np.where(after < 1, 2 * after - after**2 - 1, 0.0) + np.where(before > -1, before**2 + 2 * before + 1, 0.0)


def play(notes: Sequence[Note], patch: Patch, seconds: float, rng: np.random.Generator) -> Signal:
    """Play `notes` (in seconds) on the synthesizer: `(2, T)`; with several voices they are spread over the sides."""
    total = round(seconds * RATE)
    track = np.zeros((2, total))
    cutoff = np.full(-(-total // _HOP) + 1, np.log2(patch.cutoff))
    for note in notes:
        first = round(note.start * RATE)
        if first >= total:
            continue
        length = min(round((note.length + patch.release) * RATE), total - first)
        track[:, first : first + length] += _tone(note, patch, length, rng)
        since = np.arange(len(cutoff) - first // _HOP) * _HOP / RATE
        opened = np.log2(patch.cutoff) + patch.sweep * note.velocity / 127 * np.exp(-since / patch.sweep_decay)
        cutoff[first // _HOP :] = opened
    return sweep_low_pass(track, 2**cutoff, patch.resonance)


def _tone(note: Note, patch: Patch, length: int, rng: np.random.Generator) -> Signal:
    """One note `(2, length)` before the filter."""
    time = np.arange(length) / RATE
    pitch = note.pitch + note.slide * np.clip(1 - time / 0.07, 0, 1) - 69
    step = 440 * 2 ** (pitch / 12) / RATE
    sound = np.zeros((2, length))
    for voice in range(patch.voices):
        place = 0.0 if patch.voices == 1 else 2 * voice / (patch.voices - 1) - 1
        moved = step * 2 ** (place * patch.detune / 24)
        wave = oscillator(patch.wave, np.cumsum(moved) + rng.uniform(), moved)
        sound += np.array([[1 - 0.6 * place], [1 + 0.6 * place]]) * wave
    sound /= np.sqrt(patch.voices)
    if patch.sub:
        sound += patch.sub * np.sin(np.pi * np.cumsum(step))
    fall = patch.sustain + (1 - patch.sustain) * np.exp(-time / patch.decay)
    envelope = np.minimum(1, time / patch.attack) * fall
    envelope *= np.clip((length / RATE - time) / patch.release, 0, 1) ** 2 if patch.release else 1.0
    return sound * envelope * (note.velocity / 127)


_HOP = 64
_BANK = 2 ** np.arange(np.log2(80), np.log2(18_000), 0.75)
"""Cutoffs of the fixed filters between which a moving one is mixed, Hz."""


def sweep_low_pass(signal: Signal, cutoff: Signal, resonance: float) -> Signal:
    """Low-pass `(2, T)` with a cutoff given every 64 samples, `(F,)` Hz: a mix of the two nearest fixed filters."""
    length = signal.shape[-1]
    place = np.interp(np.log2(cutoff), np.log2(_BANK), np.arange(len(_BANK)))
    place = np.interp(np.arange(length), np.arange(len(place)) * _HOP, place)
    total = np.zeros_like(signal)
    for index, corner in enumerate(_BANK):
        weight = np.clip(1 - np.abs(place - index), 0, 1)
        if weight.any():
            total += weight * peaking(low_pass(signal, corner), corner, resonance, 1.5)
    return total
