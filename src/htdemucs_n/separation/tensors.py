"""Tensors of torch at the border of separation, which works on NumPy arrays: a tensor given in gets tensors back.

torch is not imported: where a tensor is given, it is there already.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    Samples = Tensor | NDArray[np.generic]
    """Audio as a tensor or as a NumPy array."""


def is_tensor(samples: Any) -> TypeGuard[Tensor]:
    """Whether it is a tensor of torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(samples, torch.Tensor)


def to_array(samples: Samples) -> NDArray[np.generic]:
    """A tensor as an array of its type, or of float32 where NumPy does not have it; an array as it is."""
    if not is_tensor(samples):
        return np.asarray(samples)
    tensor = samples.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() and tensor.itemsize < 4 else tensor).numpy()


def to_tensors(stems: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """Stems as tensors on the CPU, which share their memory."""
    torch = sys.modules["torch"]
    return {name: torch.from_numpy(samples) for name, samples in stems.items()}
