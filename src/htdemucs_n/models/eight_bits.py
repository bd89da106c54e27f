"""Weights in 8 bits: whole numbers from -127 to 127, with a scale for each slice along the first axis.

Matrices and kernels are stored in this way, biases and norms in half precision. The error of a weight is half a step at
most, 1/254 of the largest weight of its slice.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"
"""The end of the name under which the scales of a tensor are stored."""

_STEPS = 127


def to_eight_bits(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as they are stored: `name` as int8 and `name.scale` as float32, `(N, 1, ...)`, where it has axes."""
    stored = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            stored[name] = tensor
        elif tensor.ndim < 2:
            stored[name] = tensor.half()
        else:
            weights = tensor.float()
            scale = weights.abs().amax(dim=tuple(range(1, tensor.ndim)), keepdim=True) / _STEPS
            stored[name] = (weights / scale.where(scale > 0, 1)).round().to(torch.int8)
            stored[name + SCALE] = scale
    return stored


def from_eight_bits(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse: each int8 tensor as float32 by its scales. Tensors that are stored otherwise stay as they are."""
    scales = {name + SCALE for name, tensor in tensors.items() if tensor.dtype == torch.int8}
    return {
        name: tensor.float() * tensors[name + SCALE] if name + SCALE in scales else tensor
        for name, tensor in tensors.items()
        if name not in scales
    }
