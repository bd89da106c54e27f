"""The optimisers: Muon for matrices and kernels, AdamW for all else; or AdamW alone.

Muon (Jordan et al., 2024) replaces the momentum of a matrix by the nearest matrix with orthonormal rows or columns,
so that all its directions are learned at one speed, also those in which the gradient is small. Scaled by
0.2 sqrt(max(rows, columns)) (Liu et al., 2025) a step is as long as AdamW's would be, and both share one rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from htdemucs_n.models.bands import BandMerge, BandSplit
from htdemucs_n.training.config import SolverConfig

_MOMENTUM = 0.95
_ITERATIONS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic a X + b (X X') X + c (X X')^2 X, which brings singular values near 1 soonest (Jordan et al.)."""


def build_optimizers(model: nn.Module, config: SolverConfig) -> list[Optimizer]:
    """The optimisers of `solver.optimizer`, which divide the parameters between them.

    Matrices and kernels decay; biases and norms, which set levels and not shapes, do not.
    """
    if config.optimizer == "muon":
        plain, banded = ([p for p, stacked in matrices(model) if stacked == kind] for kind in (False, True))
        groups = [{"params": plain, "stacked": False}, {"params": banded, "stacked": True}]
        optimizers: list[Optimizer] = [Muon(groups, config.lr, config.weight_decay)]
        taken = {id(p) for p in plain + banded}
    else:
        optimizers, taken = [], set()
    rest = [p for p in model.parameters() if id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [*optimizers, torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, config.beta2), fused=True)]


def matrices(model: nn.Module) -> Iterator[tuple[nn.Parameter, bool]]:
    """The parameters that are linear maps, and whether each is a stack of them, `(bands, in, out)`.

    Depthwise kernels are no maps between channels, and one row is no matrix: they are left out.
    """
    convolutions = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
    for module in model.modules():
        if isinstance(module, BandSplit | BandMerge):
            yield from ((weight, True) for weight in module.weights)
        elif isinstance(module, (nn.Linear, *convolutions)) and getattr(module, "groups", 1) == 1:
            weight = module.weight
            if isinstance(weight, nn.Parameter) and weight.shape[0] > 1:
                yield weight, False


class Muon(Optimizer):
    """Momentum, orthogonalised. Parameters are matrices `(rows, columns...)`; with `stacked`, `(bands, rows, columns)`.

    The learning rate is AdamW's, and so is the decoupled weight decay.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, weight_decay: float) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "stacked": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                    momentum.lerp_(parameter.grad, 1 - _MOMENTUM)
                    ahead = torch.lerp(parameter.grad, momentum, _MOMENTUM)  # Nesterov's
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(_direction(ahead, group["stacked"]), alpha=-group["lr"])
        return loss


def _direction(update: Tensor, stacked: bool) -> Tensor:
    """The orthogonalised `update`, of its shape, as long as a step of AdamW."""
    # Kernel first, channels last in a row: the order of columns does not matter, and so they lie in memory.
    rows = update if stacked else update.movedim(1, -1).flatten(1)
    direction = orthogonalised(rows) * (0.2 * math.sqrt(max(rows.shape[-2:])))
    return direction if stacked else direction.unflatten(1, (*update.shape[2:], update.shape[1])).movedim(-1, 1)


def orthogonalised(matrix: Tensor) -> Tensor:
    """Nearly U V' of `matrix` = U S V', `(..., rows, columns)`: singular values come out between 0.7 and 1.2.

    Newton and Schulz's iteration in bfloat16, whose rounding is small beside that.
    """
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    x = (x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-12)).bfloat16()
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(matrix.dtype)
