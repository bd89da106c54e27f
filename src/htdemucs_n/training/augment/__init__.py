"""Augmentation: changes of the crops of a batch.

Speed and pitch (`tempo`) change a recording as it is cut. The effects of the two tables below follow, in their order:
those of `STEM_EFFECTS` on each recording, those of `MIXTURE_EFFECTS` on all recordings of an item at once, so that they
still add up. An effect is a dataclass in a file of its own and one line in a table: its fields are the keys of its
section of `augment`, and the first of them, `probability`, is how often it is applied.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from torch import Tensor

from htdemucs_n.training.augment.channels import Polarity, Silence, Swap
from htdemucs_n.training.augment.equaliser import Equaliser
from htdemucs_n.training.augment.gain import Gain
from htdemucs_n.training.augment.limiter import Limiter
from htdemucs_n.training.augment.tempo import Pitch, Speed, resampled, shift_pitch

__all__ = ["MIXTURE_EFFECTS", "STEM_EFFECTS", "Effect", "Pitch", "Speed", "apply_effects", "resampled", "shift_pitch"]


class Effect(Protocol):
    """A change of audio by parameters that it draws itself."""

    @property
    def probability(self) -> float:
        """How often the effect is applied, 0 to 1."""

    def __call__(self, audio: Tensor, random: np.random.Generator, sample_rate: int) -> Tensor:
        """The changed audio: `(C, T)` of a recording, or `(S, C, T)` of all recordings of an item."""


STEM_EFFECTS: dict[str, type[Any]] = {
    "eq": Equaliser,
    "gain": Gain,
    "polarity": Polarity,
    "swap": Swap,
    "silence": Silence,
}

MIXTURE_EFFECTS: dict[str, type[Any]] = {
    "limiter": Limiter,
}


def apply_effects(audio: Tensor, effects: list[Effect], random: np.random.Generator, sample_rate: int) -> Tensor:
    """`audio` after each of `effects` that is drawn, `(C, T)` or `(S, C, T)`.

    Every effect has a random generator of its own, so that changing one leaves what the others draw as it was.
    """
    for effect, own in zip(effects, random.spawn(len(effects)), strict=True):
        if own.random() < effect.probability:
            audio = effect(audio, own, sample_rate)
    return audio
