"""Several models as one, whose stems are the mean of theirs: networks that were not trained alike err apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """The weighted mean of the stems of `members`, which separate the same stems, in one order, at one rate.

    `weights` has a list a member, with a number a stem; by default all count alike.

    Shape: `(B, C, T)` -> `(B, S, C, T)`, T up to `max_segment` seconds.
    """

    def __init__(self, members: Sequence[nn.Module], weights: Sequence[Sequence[float]] | None = None) -> None:
        super().__init__()
        first: Any = members[0]
        self.members = nn.ModuleList(members)
        self.sources: tuple[str, ...] = tuple(first.sources)
        self.samplerate: int = int(first.samplerate)
        self.overlap: float = first.overlap
        self.max_segment: float = min(getattr(member, "max_segment", float("inf")) for member in members)
        self.full_precision: bool = any(getattr(member, "full_precision", False) for member in members)
        table = torch.tensor(weights or [[1.0] * len(self.sources)] * len(members))  # (members, S)
        self.register_buffer("weights", table / table.sum(dim=0), persistent=False)

    @property
    def segment(self) -> float:
        """Seconds that all members can hear at once; setting it sets theirs."""
        return min(float(member.segment) for member in self.members)  # type: ignore[arg-type]

    @segment.setter
    def segment(self, seconds: float) -> None:
        for member in self.members:
            member.segment = seconds  # type: ignore[assignment]

    def forward(self, mixture: Tensor) -> Tensor:
        """Separate `(B, C, T)` into `(B, S, C, T)`."""
        table = self.get_buffer("weights")
        total: Tensor = table[0, :, None, None] * self.members[0](mixture)
        for weights, member in zip(table[1:], self.members[1:], strict=True):
            total = total + weights[:, None, None] * member(mixture)
        return total
