"""The distances between a target and its estimate that training can minimise, by the name of `solver.loss`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_FLOOR = 0.002
"""Error relative to the mixture (-27 dB) below which the gradient of `log` becomes small."""


def _absolute(error: Tensor) -> Tensor:
    """mean |e| over the last dimension; its minimum is the median of the possible signals."""
    return error.abs().mean(dim=-1)


def _square(error: Tensor) -> Tensor:
    """2 mean e^2 over the last dimension, as in the SDR; its minimum is the mean of the possible signals.

    The factor gives about the gradient of `_absolute` at an error 12 dB below the mixture, so that a run can change
    from one to the other.
    """
    return 2 * error.square().mean(dim=-1)


LOSSES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "l1": (_absolute, lambda distance: distance),
    "l2": (_square, lambda distance: distance),
    "log": (_square, lambda distance: 0.1 * torch.log(distance + _FLOOR)),
}
"""By name: the distance over the last dimension of an error, and a function of the mean distance of a target.

`log` takes the error of a target in dB, as the SDR does, so that a quiet stem has the same weight as a loud one.
"""
