"""The training loss: the known stems of an item compared with the estimates of the model.

The targets of an item are stems or sums of stems. The estimates are summed in the same way. They are compared with a
target up to the frequency to which it is known, and with the target of a teacher only where the error is smallest.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from htdemucs_n.training.batches import Batch
from htdemucs_n.training.distances import LOSSES

_WINDOWS = 10
"""Pieces in which the error of a teacher's item is measured."""

_TRIMMED = 2
"""The number of these pieces, those with the largest error, that are left out, because a teacher makes errors."""


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
