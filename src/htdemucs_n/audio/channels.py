"""Bring any channel layout to stereo, which is what models separate and are trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_CENTRE = 0.5**0.5
"""-3 dB: the gain of ITU-R BS.775 for a channel that goes to both sides, and for the surrounds."""

_LEFT, _RIGHT, _BOTH, _NONE = (1.0, 0.0), (0.0, 1.0), (_CENTRE, _CENTRE), (0.0, 0.0)
_SIDE_LEFT, _SIDE_RIGHT = (_CENTRE, 0.0), (0.0, _CENTRE)

_GAINS = {
    "FL": _LEFT, "FR": _RIGHT, "FC": _BOTH, "LFE": _NONE, "LFE2": _NONE,
    "FLC": _LEFT, "FRC": _RIGHT, "WL": _LEFT, "WR": _RIGHT,
    "BL": _SIDE_LEFT, "BR": _SIDE_RIGHT, "SL": _SIDE_LEFT, "SR": _SIDE_RIGHT, "BC": _BOTH,
    "DL": _LEFT, "DR": _RIGHT, "TFL": _SIDE_LEFT, "TFR": _SIDE_RIGHT, "TBL": _SIDE_LEFT, "TBR": _SIDE_RIGHT,
}  # fmt: skip
"""Gain into (left, right) by the name that FFmpeg gives a speaker."""

_BY_COUNT = {
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""What a number of channels stands for where the speakers are not known, in WAVE order."""


def at_most_stereo(mixture: NDArray[np.float32], speakers: Sequence[str] = ()) -> NDArray[np.float32]:
    """Mono and stereo as they are, and more channels `(C, T)` as `to_stereo` mixes them down."""
    return mixture if mixture.shape[0] <= 2 else to_stereo(mixture, speakers)


def to_stereo(mixture: NDArray[np.float32], speakers: Sequence[str] = ()) -> NDArray[np.float32]:
    """Mix `(C, T)` down to `(2, T)`; `speakers` are the names of the channels, by default those of their number.

    Mono is copied to both sides, stereo stays. More channels are mixed by ITU-R BS.775: left + 0.707 centre + 0.707
    left surround, and so for the right; the low-frequency channel is left out. Of more than 8 channels whose speakers
    are not known, odd ones (the first, third, ...) are averaged to the left and even ones to the right.
    """
    channels = mixture.shape[0]
    if channels == 1:
        return np.repeat(mixture, 2, axis=0)
    if channels == 2:
        return mixture
    known = len(speakers) == channels and all(name in _GAINS for name in speakers)
    names = speakers if known else _BY_COUNT.get(channels, ())
    if not names:
        return np.stack([mixture[0::2].mean(axis=0), mixture[1::2].mean(axis=0)])
    stereo = np.zeros((2, mixture.shape[1]), np.float32)  # not a matrix product, whose rounding depends on the length
    for name, samples in zip(names, mixture, strict=True):
        for side, gain in zip(stereo, _GAINS[name], strict=True):
            if gain:
                side += gain * samples
    return stereo
