"""Several models as one, whose stems are the mean of theirs: networks that were trained apart make other errors."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from htdemucs_n.errors import OptionError


class Ensemble(nn.Module):
    """The weighted mean of the stems of `members`, which separate the same stems, in one order, at one rate.

    `weights` has a list for each member, with a number for each stem; by default all count alike.

    Shape: `(B, C, T)` -> `(B, S, C, T)`, T up to `max_segment` seconds.

    Raises:
        UserError: members with other stems or another sample rate than the first one.
    """

    def __init__(self, members: Sequence[nn.Module], weights: Sequence[Sequence[float]] | None = None) -> None:
        super().__init__()
        first: Any = members[0]
        for member in members[1:]:
            _check_alike(first, member)
        self.sources: tuple[str, ...] = tuple(first.sources)
        self.samplerate: int = int(first.samplerate)
        self.segment: float = min(float(member.segment) for member in members)  # type: ignore[arg-type]
        """Seconds that all members take at once."""
        self.members = nn.ModuleList(with_segment(member, self.segment) for member in members)
        self.overlap: float = min(float(member.overlap) for member in members)  # type: ignore[arg-type]
        self.max_segment: float = min(getattr(member, "max_segment", float("inf")) for member in members)
        self.full_precision: bool = any(getattr(member, "full_precision", False) for member in members)
        rows = weights or [[1.0] * len(self.sources)] * len(members)
        table = torch.tensor(rows, dtype=torch.float32, device="cpu")  # (members, S)
        self.register_buffer("weights", table / table.sum(dim=0), persistent=False)

    def forward(self, mixture: Tensor) -> Tensor:
        """Separate `(B, C, T)` into `(B, S, C, T)`."""
        table = self.get_buffer("weights")
        total: Tensor = table[0, :, None, None] * self.members[0](mixture)
        for weights, member in zip(table[1:], self.members[1:], strict=True):
            total = total + weights[:, None, None] * member(mixture)
        return total


def with_segment(model: Any, seconds: float) -> Any:
    """A copy of a model that shares its weights and takes segments of `seconds`.

    A model pads shorter input to its segment, so without this a short segment would cost as much as a long one.
    """
    copied = copy.copy(model)
    copied.segment = seconds
    if isinstance(model, Ensemble):
        copied._modules = {**model._modules, "members": nn.ModuleList(with_segment(m, seconds) for m in model.members)}
    return copied


def _check_alike(first: Any, other: Any) -> None:
    if (tuple(other.sources), other.samplerate) != (tuple(first.sources), first.samplerate):
        raise OptionError(
            "models that are averaged need the same stems in the same order and the same sample rate, not "
            f"{', '.join(first.sources)} at {first.samplerate} Hz and "
            f"{', '.join(other.sources)} at {other.samplerate} Hz"
        )
