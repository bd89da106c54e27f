"""What changes a crop on its way into a batch: first each stem, then the mixture with all its stems.

Every effect has a probability of its own in the config; one of 0 draws no random number less, so that switching an
effect on leaves the others' draws as they were.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from htdemucs_n.training import effects
from htdemucs_n.training.config import AugmentConfig
from htdemucs_n.training.loss import low_passed

_EQ_POINTS = 6
_LONGEST_ROOM = 1.2
"""Seconds."""


def draw_speed(random: np.random.Generator, config: AugmentConfig) -> float:
    """A speed factor, log-uniform in `speed_range`, or 1."""
    if random.random() >= config.speed:
        return 1.0
    low, high = np.log(config.speed_range)
    return float(np.exp(random.uniform(low, high)))


def draw_pitch(random: np.random.Generator, config: AugmentConfig) -> float:
    """A shift in semitones, uniform in `pitch_semitones`, or 0."""
    chosen, semitones = random.random() < config.pitch, random.uniform(*config.pitch_semitones)
    return float(semitones) if chosen else 0.0


def augment_stem(stem: Tensor, random: np.random.Generator, config: AugmentConfig, sample_rate: int) -> Tensor:
    """Tone, room, distortion, level, channels and sign of one stem: `(C, T)` -> the same shape."""
    chosen = random.random(6) < [
        config.eq, config.saturation, config.reverb, config.silence, config.sign, config.swap
    ]  # fmt: skip
    gains_db = random.uniform(-config.eq_db, config.eq_db, _EQ_POINTS)
    drive = float(np.exp(random.uniform(*np.log(config.saturation_drive))))
    seconds, wet, seed = random.uniform(0.2, _LONGEST_ROOM), random.uniform(0.1, 0.5), int(random.integers(2**31))
    gain = 10 ** (random.uniform(*config.gain_db) / 20)
    if chosen[3]:
        return torch.zeros_like(stem)
    if chosen[0]:
        stem = effects.equalise(stem, gains_db.tolist(), sample_rate)
    if chosen[1]:
        stem = effects.saturate(stem, drive)
    if chosen[2]:
        noise = torch.randn(stem.shape[0], round(seconds * sample_rate), generator=torch.Generator().manual_seed(seed))
        response = effects.room_response(noise.to(stem.device), seconds, sample_rate)
        stem = effects.reverberate(stem, response, wet)
    if chosen[5]:
        stem = stem.flip(0)
    return stem * (-gain if chosen[4] else gain)


def augment_mixture(stems: Tensor, random: np.random.Generator, config: AugmentConfig, sample_rate: int) -> Tensor:
    """What befalls a whole mixture, done to its stems alike so that they still add up: `(S, C, T)` -> the same shape.

    A bus compressor's gain is found on the mixture; a codec's band limit cuts it and them.
    """
    chosen = random.random(2) < [config.compression, config.band_limit]
    threshold_db, ratio = random.uniform(-6, 3), random.uniform(1.5, 6)
    cutoff = float(np.exp(random.uniform(*np.log(config.band_limit_hz))))
    if chosen[0]:
        stems = stems * effects.compression_gain(stems.sum(dim=0), threshold_db, ratio)
    if chosen[1]:
        stems = low_passed(stems, torch.full(stems.shape[:1], cutoff), sample_rate)
    return stems
