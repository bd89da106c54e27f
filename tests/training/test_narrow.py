"""The script that makes a network narrower: it finds all tensors that share channels, and keeps the right ones."""

from __future__ import annotations

import copy
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graph_helpers import tiny_bands, tiny_hybrid
from htdemucs_n.training.bank import Song

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def script() -> Any:
    sys.path.insert(0, str(SCRIPTS))
    try:
        spec = importlib.util.spec_from_file_location("narrow", SCRIPTS / "narrow.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPTS))
    return module


@pytest.fixture
def songs() -> list[Song]:
    torch.manual_seed(3)
    return [Song("a", tuple(torch.randint(-9000, 9000, (2, 44_100), dtype=torch.int16) for _ in range(4)))]


def importance_of(script: Any, network: Any, narrow: Any) -> dict[str, torch.Tensor]:
    """Random values above 0 for as many channels of each group as `narrow` has, and 0 for the others."""
    torch.manual_seed(7)
    importance = {}
    old, new = network.state_dict(), narrow.state_dict()
    for path, _, _, places in script.tensors_of(network):
        for axis, groups in places.items():
            if len(groups) == 1 and groups[0] is not None:
                size, count = old[path].shape[axis], new[path].shape[axis]
                importance[groups[0]] = torch.zeros(size)
                importance[groups[0]][torch.randperm(size)[:count]] = torch.rand(count) + 0.1
    return importance


def silence(script: Any, network: Any, importance: dict[str, torch.Tensor]) -> None:
    """Let all layers write 0 to the channels without importance."""
    tensors = network.state_dict()
    for path, _, layer, places in script.tensors_of(network):
        for axis, groups in places.items():
            if layer.writes is not None and groups == (layer.writes,) and "running" not in path:
                tensors[path].movedim(axis, 0)[importance[layer.writes] == 0] = 0


@pytest.mark.parametrize(
    ("network", "widths"),
    [
        (tiny_hybrid, {"resunet_base_channels": 4}),
        (tiny_hybrid, {"multi_stft_channels": 4}),
        (tiny_hybrid, {"channels": 3}),
        (tiny_hybrid, {"resunet_base_channels": 6, "multi_stft_channels": 4, "channels": 2}),
        (tiny_bands, {"ff_mult": 2, "head_channels": 8}),
    ],
)
def test_channels_that_are_silent_can_go_without_a_change(script: Any, network: Any, widths: dict[str, int]) -> None:
    """So every tensor of a group is cut at the same channels, and none is forgotten."""
    wide = network()
    narrow = script.build_network(script.replace(wide.config, **widths))
    importance = importance_of(script, wide, narrow)
    audio = torch.randn(1, 2, 22_050)
    with torch.no_grad():
        before = wide(audio)
        silence(script, wide, importance)
        expected = wide(audio)
        small = script.narrowed(wide, widths, importance)
        torch.testing.assert_close(small(audio), expected, atol=1e-5, rtol=0)
    assert (before - expected).abs().max() > 1e-4
    assert {key: getattr(small.config, key) for key in widths} == widths


def test_the_weights_of_the_kept_channels_stay(script: Any) -> None:
    network = tiny_bands()
    narrow = script.build_network(script.replace(network.config, band_channels=8))
    importance = importance_of(script, network, narrow)
    channels, units = (importance[group].nonzero().flatten() for group in ("tokens", "blocks.0.3"))
    small = script.narrowed(network, {"band_channels": 8}, importance)
    old, new = network.state_dict(), small.state_dict()
    for name, expected in {
        "split.0.weights.0": old["split.0.weights.0"][..., channels],
        "blocks.0.0.position.weight": old["blocks.0.0.position.weight"][channels],
        "blocks.0.0.attention.to_qkv.weight": old["blocks.0.0.attention.to_qkv.weight"][:, channels],
        "blocks.0.0.attention.to_out.bias": old["blocks.0.0.attention.to_out.bias"][channels],
        "blocks.0.3.layers.1.weight": old["blocks.0.3.layers.1.weight"][units][:, channels],
        "blocks.0.3.layers.3.weight": old["blocks.0.3.layers.3.weight"][channels][:, units],
        "blocks.0.2.narrow.weight": old["blocks.0.2.narrow.weight"],
        "heads.1.hidden.1.weight": old["heads.1.hidden.1.weight"][:, channels],
        "heads.1.merge.weights.0": old["heads.1.merge.weights.0"],
    }.items():
        assert torch.equal(new[name], expected), name


def test_the_importance_is_the_squared_slope_of_the_loss_over_a_gate(script: Any, songs: list[Song]) -> None:
    """Against the difference of the loss where what a layer writes to one channel is scaled up and down."""
    network = tiny_hybrid()
    layer = network.get_submodule("spectral_head.mix.0")
    found = script.importances(network, songs, crops=1)["head"]
    losses = []
    for scale in (1.1, 0.9):
        scaled = copy.deepcopy(network)
        with torch.no_grad():
            for name, tensor in layer.named_parameters():
                scaled.get_parameter(f"spectral_head.mix.0.{name}")[2] = tensor[2] * scale
            stems = script._crop(songs, np.random.default_rng(0), network.samplerate, remix=True)
            error = (scaled(stems.sum(dim=1)) - stems).square().mean(dim=(0, 2, 3))
            losses.append(float((error / (stems.square().mean(dim=(0, 2, 3)) + 1e-4) + 1e-2).log10().mean()))
    assert float(found[2]) == pytest.approx(((losses[0] - losses[1]) / 0.2) ** 2, rel=0.1)


def test_a_channel_that_no_stem_depends_on_has_no_importance(script: Any, songs: list[Song]) -> None:
    network = tiny_bands()
    for head in network.heads:  # all stems are the mixture's share, whatever the tokens
        for weight in head.merge.weights:  # type: ignore[union-attr]
            weight.data.zero_()
    importance = script.importances(network, songs, crops=2)
    assert importance.keys() == {"tokens", "blocks.0.1", "blocks.0.3", *(f"heads.{number}" for number in range(4))}
    assert importance["tokens"].shape == (16,) and not any(values.any() for values in importance.values())


def test_networks_that_cannot_be_made_narrower_say_so(script: Any) -> None:
    with pytest.raises(TypeError, match="attention across the bands"):
        script.layers_of(tiny_bands(band_mixer="attention"))
    with pytest.raises(TypeError, match="LSTM"):
        script.layers_of(tiny_hybrid(lstm_layers=1))
