"""The drum machine of the demo song: every voice built from decaying sines and shaped noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from htdemucs_n.demo.effects import (
    SAMPLE_RATE,
    Signal,
    decay,
    fade_edges,
    high_pass,
    low_pass,
    pan,
    place,
    shape_spectrum,
)
from htdemucs_n.demo.score import Hit

_PLACES = {
    "kick": (0.0, 1.0),
    "snare": (0.05, 0.8),
    "clap": (-0.15, 0.5),
    "hat": (0.35, 0.5),
    "open hat": (0.35, 0.4),
    "crash": (-0.45, 0.42),
    "high tom": (-0.35, 0.75),
    "mid tom": (0.0, 0.75),
    "low tom": (0.4, 0.8),
}
"""Pan position and level of each drum, as a listener in front of the kit has it."""

_TOMS = {"high tom": 165.0, "mid tom": 125.0, "low tom": 92.0}
"""Resting pitch, Hz."""


def render_drums(hits: Sequence[Hit], length: int, rng: np.random.Generator) -> Signal:
    """Play `hits` into a track `(2, T)` of `length` samples.

    Noise is drawn anew for every stroke and soft strokes are duller, so no two strokes are alike.
    """
    track = np.zeros((2, length))
    for hit in hits:
        if hit.start * SAMPLE_RATE >= length:
            continue
        position, level = _PLACES[hit.drum]
        place(track, level * hit.velocity * pan(_stroke(hit, rng), position), hit.start)
    return track


def _stroke(hit: Hit, rng: np.random.Generator) -> Signal:
    if hit.drum == "kick":
        return _kick(hit.velocity, rng)
    if hit.drum == "snare":
        return _snare(hit.velocity, rng)
    if hit.drum == "clap":
        return _clap(rng)
    if hit.drum in _TOMS:
        return _drumhead(_TOMS[hit.drum], drop=0.35, drop_seconds=0.09, ring=0.55)
    seconds = {"hat": 0.09, "open hat": 0.55, "crash": 2.2}[hit.drum]
    return _cymbal(seconds, hit.velocity, rng)


def _drumhead(pitch: float, drop: float, drop_seconds: float, ring: float) -> Signal:
    """A membrane: a sine that starts `drop` (share) above `pitch` Hz and falls to it while it decays."""
    size = round(ring * SAMPLE_RATE)
    frequency = pitch * (1 + drop * decay(size, drop_seconds * 3))
    body = np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE) * decay(size, ring)
    return fade_edges(body, 0.001, 0.01)


def _noise(seconds: float, rng: np.random.Generator) -> Signal:
    return rng.standard_normal(round(seconds * SAMPLE_RATE))


def _mix(*layers: Signal) -> Signal:
    total = np.zeros(max(len(layer) for layer in layers))
    for layer in layers:
        total[: len(layer)] += layer
    return total


def _kick(velocity: float, rng: np.random.Generator) -> Signal:
    body = _drumhead(50.0, drop=3.0, drop_seconds=0.035, ring=0.42)
    click = shape_spectrum(_noise(0.012, rng), low_pass(2000 + 4000 * velocity)) * 0.35
    return _mix(np.tanh(1.6 * body), fade_edges(click * decay(len(click), 0.012), 0.0, 0.004))


def _snare(velocity: float, rng: np.random.Generator) -> Signal:
    shell = _mix(
        0.7 * _drumhead(186.0, drop=0.3, drop_seconds=0.02, ring=0.22),
        0.4 * _drumhead(331.0, drop=0.2, drop_seconds=0.02, ring=0.13),
    )
    bright = 5000 + 6000 * velocity
    wires = shape_spectrum(_noise(0.3, rng), lambda f: high_pass(900, 1)(f) * low_pass(bright, 1)(f))
    snap = wires * (0.6 * decay(len(wires), 0.24) + 0.8 * decay(len(wires), 0.05))
    return _mix(shell, 0.75 * fade_edges(snap, 0.0005, 0.02))


def _clap(rng: np.random.Generator) -> Signal:
    hands = shape_spectrum(_noise(0.35, rng), lambda f: high_pass(900)(f) * low_pass(3200)(f))
    envelope = 0.5 * decay(len(hands), 0.3)
    for delay in (0.0, 0.011, 0.021, 0.031):  # several pairs of hands, never quite together
        first = round(delay * SAMPLE_RATE)
        envelope[first:] += decay(len(hands) - first, 0.03)
    return fade_edges(hands * envelope, 0.001, 0.02)


def _cymbal(seconds: float, velocity: float, rng: np.random.Generator) -> Signal:
    """Six square waves at inharmonic pitches, as analogue drum machines make metal, in a hiss of noise."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    metal = np.zeros(len(time))
    for pitch in (263.0, 400.0, 421.0, 474.0, 587.0, 845.0):
        metal += np.sign(np.sin(2 * np.pi * 8 * pitch * rng.uniform(0.99, 1.01) * time))
    hiss = 0.3 * metal + rng.standard_normal(len(time))
    bright = 7000 + 6000 * velocity
    shaped = shape_spectrum(hiss, lambda f: high_pass(5500, 3)(f) * low_pass(bright, 1)(f))
    return fade_edges(shaped * decay(len(time), seconds), 0.0005, 0.02)
