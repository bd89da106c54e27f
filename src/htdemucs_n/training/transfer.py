"""Weights of a trained model as the start of one with other stems."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from htdemucs_n.errors import ModelError
from htdemucs_n.models.architectures import Network, build_network


def fitted(tensors: Mapping[str, Tensor], old: Sequence[str], model: Network, path: Path) -> dict[str, Tensor]:
    """`tensors`, the weights of a model for the stems `old`, as weights of `model`.

    Layers that write stems have a slice for each stem, or are a list of one module for each. A stem that is in both
    models keeps its weights, a new one the random values that `model` has. All other weights must fit.

    Raises:
        ModelError: another weight differs in shape, so that the file at `path` is of another size of model.
    """
    new = model.sources
    if tuple(old) == new:
        return dict(tensors)
    sliced = _stem_dimensions(model)
    result = {}
    for name, tensor in model.state_dict().items():
        start_name = _name_in_old(name, old, new)
        if start_name is None:
            result[name] = tensor  # the head of a new stem
            continue
        start = tensors.get(start_name)
        if start is not None and name in sliced:
            start = _exchanged(start, tensor, old, new, sliced[name])
        if start is None or start.shape != tensor.shape:
            raise ModelError(f"{path} does not fit this model (in {name}): use the sizes it was trained with")
        result[name] = start
    return result


def _stem_dimensions(model: Network) -> dict[str, int]:
    """The tensors that have a slice for each stem, and along which dimension: where one stem more makes them longer."""
    with torch.device("meta"):
        longer = build_network(dataclasses.replace(model.config, sources=(*model.sources, "another")))
    shapes = {name: tensor.shape for name, tensor in longer.state_dict().items()}
    return {
        name: next(d for d in range(tensor.ndim) if tensor.shape[d] != shapes[name][d])
        for name, tensor in model.state_dict().items()
        if tensor.shape != shapes[name]
    }


def _name_in_old(name: str, old: Sequence[str], new: Sequence[str]) -> str | None:
    """The name that a tensor has in the old model; None where it belongs to a stem that is new."""
    part, _, rest = name.partition(".")
    if part != "heads":  # the list of one module for each stem
        return name
    number, _, rest = rest.partition(".")
    stem = new[int(number)]
    return f"heads.{list(old).index(stem)}.{rest}" if stem in old else None


def _exchanged(start: Tensor, tensor: Tensor, old: Sequence[str], new: Sequence[str], dimension: int) -> Tensor | None:
    """`tensor` with the slices of the stems that `start` has too; None where they are of another size."""
    if start.ndim != tensor.ndim or start.shape[dimension] % len(old):
        return None
    theirs = start.unflatten(dimension, (len(old), -1)).unbind(dimension)
    ours = tensor.unflatten(dimension, (len(new), -1)).unbind(dimension)
    if theirs[0].shape != ours[0].shape:
        return None
    slices = [theirs[list(old).index(stem)] if stem in old else ours[n] for n, stem in enumerate(new)]
    return torch.stack([piece.to(tensor.dtype) for piece in slices], dim=dimension).flatten(dimension, dimension + 1)
