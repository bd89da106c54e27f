"""Idea 4: learned fusion against its formula in NumPy, its statistics, and its plain forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from htdemucs_n.models.fusion import AdditiveFusion, FrequencyProjection, FusionStatistics, LearnedFusion
from models_helpers import Array, array, noise, numpy_layer, randomise_batch_norm

CHANNELS, BANDS, DIM = 3, 5, 8


def inputs(frames: int = 7, tokens: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    return noise(2, CHANNELS, BANDS, frames), noise(2, DIM, tokens, seed=1)


def learned(**keys: bool) -> LearnedFusion:
    torch.manual_seed(0)
    module = LearnedFusion(CHANNELS, BANDS, DIM, **keys).eval()
    randomise_batch_norm(module)
    return module


def numpy_interpolation(x: Array, length: int) -> Array:
    """Sample i of the result stands at (i + 1/2) old/new - 1/2 of the old, held at the ends."""
    old = x.shape[-1]
    positions = np.clip((np.arange(length) + 0.5) * old / length - 0.5, 0, old - 1)
    return np.apply_along_axis(lambda row: np.interp(positions, np.arange(old), row), -1, x)


def numpy_projection(module: FrequencyProjection, frequency: torch.Tensor, length: int) -> Array:
    narrowed = numpy_layer(module.narrow, array(frequency))
    columns = narrowed.reshape(narrowed.shape[0], -1, narrowed.shape[-1])  # (B, channels x bands, frames)
    return numpy_interpolation(numpy_layer(module.project, columns), length)


def numpy_fusion(module: LearnedFusion, frequency: torch.Tensor, time: torch.Tensor) -> tuple[Array, dict[str, float]]:
    f, t = numpy_projection(module.projection, frequency, time.shape[-1]), array(time)
    if module.adaptive:
        logits = numpy_layer(module.weigh, np.concatenate([f, t], axis=1))
    else:
        logits = array(module.weight_logits)
    weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    added = numpy_layer(module.net, np.concatenate([weights[:, :1] * f, weights[:, 1:] * t], axis=1))
    rms = [np.sqrt((x**2).mean()) for x in (added, t)]
    means = {"frequency_weight": weights[:, 0].mean(), "time_weight": weights[:, 1].mean()}
    return t + added, {**means, "strength": rms[0] / rms[1]}


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("frames", [7, 4, 12])
def test_equals_the_formula(adaptive: bool, frames: int) -> None:
    """With as many frames as tokens, and with fewer and more, which are interpolated."""
    module = learned(adaptive=adaptive)
    if not adaptive:
        torch.nn.init.normal_(module.weight_logits)
    frequency, time = inputs(frames)
    fused, statistics = module(frequency, time)
    expected, expected_statistics = numpy_fusion(module, frequency, time)
    np.testing.assert_allclose(array(fused), expected, atol=1e-5)
    for name, value in expected_statistics.items():
        assert getattr(statistics, name).shape == ()
        assert getattr(statistics, name).item() == pytest.approx(value, abs=1e-6)


def test_the_two_weights_sum_to_one() -> None:
    _, statistics = learned()(*inputs())
    assert (statistics.frequency_weight + statistics.time_weight).item() == pytest.approx(1, abs=1e-6)
    assert 0 < statistics.frequency_weight.item() < 1


def test_weights_follow_the_content_frame_by_frame() -> None:
    """A frame's weights change with that frame alone, unless adaptive fusion is off: then with nothing."""
    module, (frequency, time) = learned(), inputs()
    changed = time.clone()
    changed[:, :, 3] += 5

    def weights(module: LearnedFusion, time: torch.Tensor) -> torch.Tensor:
        """Read off where they are used: at the input of the fusion net."""
        seen: list[torch.Tensor] = []
        hook = module.net[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        module(frequency, time)
        hook.remove()
        return (seen[0][:, DIM:] / time).mean(dim=1).detach()  # (B, N)

    difference = (weights(module, changed) - weights(module, time)).abs()
    assert float(difference[:, 3].min()) > 1e-3
    difference[:, 3] = 0
    assert float(difference.max()) < 1e-5
    constant = learned(adaptive=False)
    assert float((weights(constant, changed) - weights(constant, time)).abs().max()) < 1e-5
    assert float((weights(constant, time) - 0.5).abs().max()) < 1e-5, "constants start equal"


def test_a_branch_with_weight_zero_is_unheard() -> None:
    module = learned()
    with torch.no_grad():
        module.weigh[2].bias.copy_(torch.tensor([-200.0, 200.0]))
    (frequency, time), other = inputs(), noise(2, CHANNELS, BANDS, 7, seed=9)
    fused, statistics = module(frequency, time)
    assert statistics.time_weight.item() == 1
    torch.testing.assert_close(fused, module(other, time)[0])


def test_what_is_added_stays_within_one() -> None:
    frequency, time = inputs()
    fused, _ = learned()(1000 * frequency, time)
    assert float((fused - time).detach().abs().max()) <= 1


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("frames", [7, 4])
def test_additive_fusion_adds_the_projection(layers: int, frames: int) -> None:
    torch.manual_seed(0)
    module = AdditiveFusion(CHANNELS, BANDS, DIM, layers).eval()
    randomise_batch_norm(module)
    convs = [layer for layer in module.projection.project if isinstance(layer, torch.nn.Conv1d)]
    assert len(convs) == layers
    frequency, time = inputs(frames)
    fused, statistics = module(frequency, time)
    projected = numpy_projection(module.projection, frequency, 7)
    np.testing.assert_allclose(array(fused), array(time) + projected, atol=1e-5)
    assert isinstance(statistics, FusionStatistics)
    assert statistics.frequency_weight.item() == statistics.time_weight.item() == 0.5
    strength = np.sqrt((projected**2).mean() / (array(time) ** 2).mean())
    assert statistics.strength.item() == pytest.approx(strength, rel=1e-5)


def test_batch_statistics_in_training() -> None:
    module = learned().train()
    frequency, time = inputs()
    np.testing.assert_allclose(array(module(frequency, time)[0]), numpy_fusion(module, frequency, time)[0], atol=1e-5)
