"""Bring any channel count to the stereo that the model hears."""

from __future__ import annotations

import torch
from torch import Tensor

_CENTRE = 0.5**0.5
"""-3 dB: the gain of ITU-R BS.775 for a channel that goes to both sides, and for the surrounds."""

_LEFT, _RIGHT, _BOTH, _NONE = (1.0, 0.0), (0.0, 1.0), (_CENTRE, _CENTRE), (0.0, 0.0)
_BACK_LEFT, _BACK_RIGHT = (_CENTRE, 0.0), (0.0, _CENTRE)
_FRONT = (_LEFT, _RIGHT, _BOTH)

_DOWNMIX = {
    3: _FRONT,
    4: (_LEFT, _RIGHT, _BACK_LEFT, _BACK_RIGHT),
    5: (*_FRONT, _BACK_LEFT, _BACK_RIGHT),
    6: (*_FRONT, _NONE, _BACK_LEFT, _BACK_RIGHT),
    7: (*_FRONT, _NONE, _BOTH, _BACK_LEFT, _BACK_RIGHT),
    8: (*_FRONT, _NONE, _BACK_LEFT, _BACK_RIGHT, _BACK_LEFT, _BACK_RIGHT),
}
"""Gain into (left, right) of every channel in WAVE order; the low-frequency channel is left out."""


def to_stereo(mixture: Tensor) -> Tensor:
    """Mix `(C, T)`, channels in WAVE order, down to `(2, T)`.

    Mono is copied to both sides. 3 to 8 channels are mixed by ITU-R BS.775: left + 0.707 centre + 0.707
    left surround, and so for the right. Over 8 channels, odd ones (the first, third, ...) are averaged to the
    left and even ones to the right.
    """
    channels = mixture.shape[0]
    if channels == 1:
        return mixture.repeat(2, 1)
    if channels == 2:
        return mixture
    if channels > 8:
        return torch.stack([mixture[0::2].mean(0), mixture[1::2].mean(0)])
    return mixture.new_tensor(_DOWNMIX[channels]).T @ mixture
