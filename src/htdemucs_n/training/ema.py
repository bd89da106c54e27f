"""Exponential moving average of weights: noise of the last steps averaged out, for validation and shipping."""

from __future__ import annotations

import copy

import torch

from htdemucs_n.models.architectures import Network


class EMA:
    """Keeps an averaged copy of a model, batch-norm statistics included.

    Early on the decay is (1 + n) / (10 + n), so that the random start soon has no weight.
    """

    def __init__(self, model: Network, decay: float) -> None:
        self.model: Network = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: Network, step: int) -> None:
        """Move towards `model`, after optimiser step number `step` (from 1)."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        average, current = list(self.model.state_dict().values()), list(model.state_dict().values())
        floats = [i for i, tensor in enumerate(average) if tensor.is_floating_point()]
        torch._foreach_lerp_([average[i] for i in floats], [current[i] for i in floats], weight)
