"""From a name or a network to a model that is ready to separate: on its device, in its precision, for its segment.

`Separator` is built from this, and every command builds its `Separator` from names, so all have the same defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from htdemucs_n.errors import OptionError
from htdemucs_n.models.ensemble import Ensemble, with_segment
from htdemucs_n.models.folding import reduce_weights
from htdemucs_n.openmp import check_openmp
from htdemucs_n.separation.device import choose_device, choose_precision

SHORTEST_SEGMENT = 0.1
LONGEST_SEGMENT = 600.0
"""Seconds."""


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


ModelSource = str | Path | SeparationModel
"""Name of a shipped or official model, path of a checkpoint, or a network."""


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """A model in evaluation mode on `device`, to be run under autocast to `precision`."""

    model: SeparationModel
    device: torch.device
    precision: torch.dtype


def prepare_model(
    source: ModelSource | Sequence[ModelSource] | None,
    device: str,
    precision: str,
    segment: float | None,
    weights: Sequence[float] | None,
    trusted: bool,
) -> PreparedModel:
    """Load one model, or several whose stems are averaged; the arguments are those of `Separator`.

    The weights of networks that are loaded here are rounded to the precision. A network that is passed in is moved to
    the device and put into evaluation mode; its weights and its segment stay as they are.

    Raises:
        UserError: an unknown model, device or precision, a bad checkpoint, models that cannot be averaged, or a
            segment that is out of range.
    """
    if segment is not None and not SHORTEST_SEGMENT <= segment <= LONGEST_SEGMENT:
        raise OptionError(
            f"segment is {segment:g}: give a number of seconds from {SHORTEST_SEGMENT:g} to {LONGEST_SEGMENT:g}"
        )
    chosen = choose_device(device)
    if chosen.type == "cpu":
        check_openmp(torch.get_num_threads())
    sources = [source] if source is None or isinstance(source, str) or not isinstance(source, Sequence) else source
    networks: list[Any] = [_load(one, trusted) if _is_name(one) else one for one in sources]
    model = _averaged(networks, weights)
    longest = getattr(model, "max_segment", float("inf"))  # of the official transformers
    if segment is not None:
        if segment > longest:
            raise OptionError(f"segment is {segment:g}: this model takes {longest:g} seconds at most")
        model = with_segment(model, segment)
    if precision == "auto" and getattr(model, "full_precision", False):
        precision = "fp32"
    dtype = choose_precision(precision, chosen)
    model = model.to(chosen).eval()
    for network, one in zip(networks, sources, strict=True):
        if _is_name(one):
            reduce_weights(network, dtype)
    return PreparedModel(model, chosen, dtype)


def _is_name(source: ModelSource | None) -> bool:
    return source is None or isinstance(source, str | Path)


def _load(name: Any, trusted: bool) -> Any:
    from htdemucs_n.models.registry import DEFAULT_MODEL, load_model  # not needed to run a network of one's own

    return load_model(name or DEFAULT_MODEL, trusted)


def _averaged(networks: Sequence[Any], weights: Sequence[float] | None) -> Any:
    """The network, or the weighted mean of several."""
    counts = [1.0] * len(networks) if weights is None else list(weights)
    if len(counts) != len(networks) or min(counts, default=0) < 0 or not 0 < sum(counts) < float("inf"):
        raise OptionError(f"weights are {counts}: give one number of 0 or more for each of {len(networks)} models")
    if len(networks) == 1:
        return networks[0]
    return Ensemble(networks, [[count] * len(networks[0].sources) for count in counts])
