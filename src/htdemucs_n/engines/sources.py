"""What can be given as a model: a name, a file, or a network of torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class SeparationModel(Protocol):
    """What a model must have: any `torch.nn.Module` with these names will do."""

    @property
    def sources(self) -> Sequence[str]:
        """Names of the stems, in the order of the output."""

    @property
    def samplerate(self) -> int:
        """Hz."""

    @property
    def segment(self) -> float:
        """Seconds that the model was trained on. With the option `segment`, a copy of the model is given that value."""

    @property
    def overlap(self) -> float:
        """Part of a segment that the model's segments share by default."""

    def __call__(self, mixture: Tensor) -> Tensor:
        """`(B, 2, T)` to `(B, S, 2, T)`, any T from 1 to the segment in use."""

    def to(self, device: torch.device) -> Any:
        """As `torch.nn.Module.to`."""

    def eval(self) -> Any:
        """As `torch.nn.Module.eval`."""


ModelSource: TypeAlias = str | Path | SeparationModel | None
"""Name of a shipped or official model, path of a checkpoint, or a network; None is the shipped default."""
