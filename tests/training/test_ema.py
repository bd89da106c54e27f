"""Averaged weights against the closed form of their recursion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from htdemucs_n.training.ema import EMA


def network() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3))


def decay_at(step: int, decay: float) -> float:
    return min(decay, (1 + step) / (10 + step))


@pytest.mark.parametrize(("decay", "steps"), [(0.999, 40), (0.5, 40), (0.0, 3)])
def test_average_of_all_weights_so_far(decay: float, steps: int) -> None:
    """a_N = a_0 prod d_k + sum_k (1 - d_k) x_k prod_{j > k} d_j: the ramp and, for 0.5, the constant after it."""
    model = network()
    ema = EMA(model, decay)
    random = torch.Generator().manual_seed(1)
    history = {key: [tensor.double().numpy().copy()] for key, tensor in model.state_dict().items()}
    for step in range(1, steps + 1):
        for key, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=random))
            else:
                tensor.fill_(step)
            history[key].append(tensor.double().numpy().copy())
        ema.update(model, step)

    decays = [decay_at(k, decay) for k in range(1, steps + 1)]
    weights = [math.prod(decays)] + [(1 - d) * math.prod(decays[k + 1 :]) for k, d in enumerate(decays)]
    assert sum(weights) == pytest.approx(1)
    average = ema.model.state_dict()
    assert {"1.running_mean", "1.running_var"} < average.keys(), "batch-norm statistics are averaged as well"
    for key, values in history.items():
        if average[key].is_floating_point():
            expected = sum(w * x for w, x in zip(weights, values, strict=True))
            np.testing.assert_allclose(average[key].numpy(), expected, rtol=1e-4, atol=1e-5)
    assert average["1.num_batches_tracked"] == 0, "a count is no average"


def test_the_average_is_a_copy_in_evaluation_mode() -> None:
    model = network()
    ema = EMA(model, 0.9)
    assert not ema.model.training
    assert model.training
    assert not any(parameter.requires_grad for parameter in ema.model.parameters())
    before = model[0].weight.detach().clone()
    with torch.no_grad():
        model[0].weight.add_(1)
    assert torch.equal(ema.model[0].weight, before)


def test_a_constant_stays() -> None:
    model = network()
    ema = EMA(model, 0.999)
    for step in range(1, 30):
        ema.update(model, step)
    for average, current in zip(ema.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(average, current)
