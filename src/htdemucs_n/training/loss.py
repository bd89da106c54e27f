"""The training loss: what is known of the stems against what the model makes of them.

An item's targets are stems or sums of stems. The estimates are summed in the same way and compared with them, only up
to the frequency that a target is known to, and for a teacher's targets only where in the crop they fit best.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from htdemucs_n.training.batches import Batch

_WINDOWS = 10
"""Pieces in which the error of a teacher's item is measured."""

_TRIMMED = 2
"""How many of these are left out, those with the largest error: a teacher is wrong in places."""

_FLOOR = 0.01
"""Error relative to the mixture, -20 dB, from which on `log` no longer gains much."""


def _absolute(error: Tensor) -> Tensor:
    """mean |e|; settles on the median of what may be."""
    return error.abs().mean(dim=-1)


def _square(error: Tensor) -> Tensor:
    """2 mean e^2, what the SDR measures; settles on the mean of what may be.

    The factor gives about the gradient of `_absolute` at an error 12 dB below the mixture, so that a run can change
    from one to the other.
    """
    return 2 * error.square().mean(dim=-1)


LOSSES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "l1": (_absolute, lambda distance: distance),
    "l2": (_square, lambda distance: distance),
    "log": (_square, lambda distance: 0.1 * torch.log(distance + _FLOOR)),
}
"""By name: the distance over the last dimension of an error, and what becomes of a target's mean distance.

`log` counts a target's error in dB, as the SDR does, so that a quiet stem weighs as much as a loud one.
"""


class SeparationLoss(nn.Module):
    """Mean over items and targets of the distance between target and estimate."""

    def __init__(self, kind: str = "l2", sample_rate: int = 44100, estimated_weight: float = 1.0) -> None:
        super().__init__()
        self.distance, self.of_target = LOSSES[kind]
        self.sample_rate = sample_rate
        self.estimated_weight = estimated_weight

    def forward(self, estimate: Tensor, batch: Batch) -> Tensor:
        """The loss of the stems `(B, S, C, T)` against `batch`, a scalar."""
        error = (batch.groups @ estimate.flatten(2)).view_as(estimate) - batch.targets
        limited = batch.cutoff < self.sample_rate / 2
        if limited.any():
            error = error.clone()
            error[limited] = low_passed(error[limited], batch.cutoff[limited], self.sample_rate)
        distance = self.distance(error[..., : error.shape[-1] // _WINDOWS * _WINDOWS].unflatten(-1, (_WINDOWS, -1)))
        distance = distance.mean(dim=2)  # (B, S, windows)
        kept = torch.where(batch.estimated[:, None], _trimmed(distance), distance.mean(dim=-1))  # (B, S)
        known = batch.groups.amax(dim=-1)  # (B, S), 0 where a target is not used
        weight = torch.where(batch.estimated, self.estimated_weight, 1.0)
        return (self.of_target(kept) * known * weight[:, None]).mean()


def _trimmed(distance: Tensor) -> Tensor:
    """The mean of `(B, S, windows)` over the windows in which an item fits best, `(B, S)`."""
    best = distance.detach().sum(dim=1).argsort(dim=-1)[:, : _WINDOWS - _TRIMMED]
    return distance.gather(2, best[:, None].expand(-1, distance.shape[1], -1)).mean(dim=-1)


def low_passed(audio: Tensor, cutoff: Tensor, sample_rate: int) -> Tensor:
    """`audio` `(N, C, T)` without what lies above `cutoff` `(N,)`, Hz; the cut is ideal."""
    spectrum = torch.fft.rfft(audio)
    frequencies = torch.fft.rfftfreq(audio.shape[-1], 1 / sample_rate, device=audio.device)
    kept = frequencies <= cutoff.to(audio.device)[:, None]
    return torch.fft.irfft(spectrum * kept[:, None], n=audio.shape[-1])
