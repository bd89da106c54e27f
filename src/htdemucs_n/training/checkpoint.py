"""The whole state of a run, from which it is resumed exactly, in one safetensors file.

    model.*      the weights being trained
    ema.*        the averaged weights
    optimizer.*  the state of the optimisers for each parameter: moments, step count

The random numbers need no state: batch n is a function of the seed and n.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from htdemucs_n.errors import ModelError
from htdemucs_n.models.architectures import Network, architecture_metadata
from htdemucs_n.models.storage import averaged_weights, load_tensors, load_weights, save_tensors, tensors_under
from htdemucs_n.training.ema import EMA
from htdemucs_n.training.optimizers import Muon
from htdemucs_n.training.transfer import fitted


def save_checkpoint(
    path: Path, model: Network, ema: EMA, optimizers: Sequence[Optimizer], progress: dict[str, Any]
) -> None:
    """Write the state of a run; `progress` is kept as metadata (JSON). The older file survives a failure."""
    tensors = _prefixed("model", model.state_dict()) | _prefixed("ema", ema.model.state_dict())
    for name, parameter, optimizer in _moved(model, optimizers):
        tensors |= _prefixed(f"optimizer.{name}", optimizer.state[parameter])
    save_tensors(
        path,
        tensors,
        {**architecture_metadata(model.config), "progress": progress},
    )


def load_checkpoint(
    path: Path, model: Network, ema: EMA, optimizers: Sequence[Optimizer], *, other_stems: bool = False
) -> dict[str, Any]:
    """Restore a run and return its progress.

    A file that holds weights only (a shipped model, `best.safetensors`) starts a new run from them: the
    progress is then empty. So do the averaged weights of a run of other stems, if `other_stems` allows it.

    Raises:
        ModelError: a file that can't be read or doesn't fit the model or the optimisers.
    """
    tensors, metadata = load_tensors(path)
    sources = metadata.get("config", {}).get("sources", model.sources)
    trained = tensors_under("model", tensors)
    if not trained or (other_stems and tuple(sources) != model.sources):
        tensors = fitted(averaged_weights(tensors), sources, model, path)
        load_weights(model, tensors, path)
        load_weights(ema.model, tensors, path)
        return {}
    load_weights(model, trained, path)
    load_weights(ema.model, tensors_under("ema", tensors), path)
    for name, parameter, optimizer in _moved(model, optimizers):
        state = tensors_under(f"optimizer.{name}", tensors)
        if ("momentum" in state) != isinstance(optimizer, Muon):
            raise ModelError(f"{path} was trained with another solver.optimizer: set that, or continue_from its best")
        optimizer.state[parameter] = {key: _beside(parameter, value) for key, value in state.items()}
    return dict(metadata["progress"])


def _beside(parameter: Tensor, value: Tensor) -> Tensor:
    """`value` on the parameter's device, and in its memory layout, which the fused optimiser requires."""
    if value.shape != parameter.shape:  # the step count
        return value.to(parameter.device)
    return torch.empty_like(parameter, requires_grad=False).copy_(value)


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _moved(model: Network, optimizers: Sequence[Optimizer]) -> Iterator[tuple[str, nn.Parameter, Optimizer]]:
    """Every parameter with its name and the optimiser that moves it."""
    movers = {id(p): optimizer for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]}
    return ((name, parameter, movers[id(parameter)]) for name, parameter in model.named_parameters())
