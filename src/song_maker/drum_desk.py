"""The channels of a mixing desk, one for each group of drums."""

from __future__ import annotations

import numpy as np

from song_maker import effects
from song_maker.effects import Signal

_LEVELS = {"kick": 1.1, "snare": 0.8, "hihat": 0.3, "toms": 0.7, "cymbals": 0.45, "percussion": 0.25}
"""Peak of the loudest hit of each group before the faders are moved."""

FADER = 3.0
"""Standard deviation of the position of a fader, in dB."""

AUDIBLE = 1e-4
"""Peak below which a group of drums counts as silent: the kit lacks it."""


def channel(group: str, sound: Signal, strongest: int, rng: np.random.Generator, fader: float = FADER) -> Signal:
    """One group of drums `(2, T)` on the mixing desk: fader, equalizer, compressor and place.

    `strongest` is the velocity of its strongest hit, `fader` the spread of the fader in dB. The sound must reach
    `AUDIBLE`.
    """
    peak = float(np.abs(sound).max())
    level = _LEVELS[group] * strongest / 127 * effects.decibels(fader * rng.standard_normal())
    sound = sound * (level / peak)
    if group == "kick":
        sound = effects.widen(sound, 0.0)
        sound = effects.peaking(sound, rng.uniform(50, 90), rng.normal(3, 3), 1.2)
        sound = effects.peaking(sound, rng.uniform(250, 500), rng.uniform(-8, 0), 1.0)
        sound = effects.peaking(sound, rng.uniform(2500, 5000), rng.normal(3, 3), 0.8)
    elif group == "snare":
        sound = effects.widen(sound, rng.uniform(0, 0.8))
        sound = effects.peaking(sound, rng.uniform(160, 260), rng.normal(2, 3), 1.0)
        sound = effects.shelf(sound, 5000, rng.normal(3, 3), high=True)
    elif group in ("hihat", "cymbals"):
        sound = effects.high_pass(sound, rng.uniform(200, 500), 2)
        sound = effects.shelf(sound, 8000, rng.normal(1, 3), high=True)
        sound = effects.widen(sound, rng.uniform(0.5, 1.5))
    if group in ("kick", "snare", "toms") and rng.random() < 0.6:
        peak = 20 * np.log10(np.abs(sound).max() + 1e-9)
        sound = effects.compress(sound, peak - rng.uniform(6, 15), rng.uniform(2, 6), rng.uniform(0.003, 0.02), 0.1)
    spread = {"kick": 0.0, "hihat": 0.35}.get(group, 0.15)
    position = float(np.clip(rng.normal(0, spread), -0.8, 0.8)) if spread else 0.0
    return effects.pan(sound, position)
