"""The distances between a target and its estimate that training can minimise, by the name of `solver.loss`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_FLOOR = 0.002
"""Error relative to the mixture (-27 dB) below which the gradient of `log` becomes small."""

_QUIET = 0.05
"""Level of a target relative to the mixture (-13 dB) below which `relative` gives its error less weight."""


def _absolute(error: Tensor) -> Tensor:
    """mean |e| over the last dimension; its minimum is the median of the possible signals."""
    return error.abs().mean(dim=-1)


def _square(error: Tensor) -> Tensor:
    """2 mean e^2 over the last dimension, as in the SDR; its minimum is the mean of the possible signals.

    The factor gives about the gradient of `_absolute` at an error 12 dB below the mixture, so that a run can change
    from one to the other.
    """
    return 2 * error.square().mean(dim=-1)


def _of_the_target(distance: Tensor, target: Tensor) -> Tensor:
    """The distance relative to that of silence."""
    return 0.1 * distance / (target + _QUIET)


LOSSES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "l1": (_absolute, lambda distance, target: distance),
    "l2": (_square, lambda distance, target: distance),
    "log": (_square, lambda distance, target: 0.1 * torch.log(distance + _FLOOR)),
    "relative": (_square, _of_the_target),
}
"""By name: the distance over the last dimension of an error, and a function of the mean distances `(B, S)` of the
estimates and of silence from the targets.

`log` and `relative` give a quiet stem the same weight as a loud one. `log` takes the error in dB, as the SDR does, so
that where a sound may belong to either of two stems, the network learns to choose one. `relative` takes the energy of
the error, so that there the network learns to divide the sound between the two.
"""
