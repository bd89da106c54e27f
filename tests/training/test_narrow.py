"""The script that makes a network narrower: its gates reach all that they name, and the right weights are kept."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from graph_helpers import tiny_bands
from htdemucs_n.training.bank import Song


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("narrow", Path(__file__).parents[2] / "scripts" / "narrow.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_closed_gate_removes_a_channel_from_all_tokens(script: Any) -> None:
    network = tiny_bands(blocks=2)
    seen: list[torch.Tensor] = []
    with script.Gates(network) as gates:
        readers = [*(layer for block in network.blocks for layer in block), *network.heads]
        for reader in readers:
            reader.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        gates.channels.data[3] = 0
        network(torch.randn(1, 2, 22_050))
    assert len(seen) == len(readers) == 2 * 4 + 4
    assert all(tokens[..., 2].any() and not tokens[..., 3].any() for tokens in seen)


def test_an_open_gate_changes_nothing_and_a_closed_one_removes_a_unit(script: Any) -> None:
    network = tiny_bands()
    audio = torch.randn(1, 2, 22_050)
    with torch.no_grad():
        expected = network(audio)
        with script.Gates(network) as gates:
            assert torch.equal(network(audio), expected)
            assert list(gates.hidden) == ["blocks.0.1", "blocks.0.3"]
            gates.hidden["blocks.0.3"].data[5] = 0
            without = network(audio)
        assert torch.equal(network(audio), expected)
        network.blocks[0][3].layers[3].weight[:, 5] = 0  # type: ignore[index, union-attr]
        torch.testing.assert_close(network(audio), without)
        assert not torch.equal(without, expected)


def test_a_channel_that_no_stem_depends_on_has_no_importance(script: Any) -> None:
    network = tiny_bands()
    songs = [Song("a", tuple(torch.randint(-9000, 9000, (2, 44_100), dtype=torch.int16) for _ in range(4)))]
    for head in network.heads:  # all stems are the mixture's share, whatever the tokens
        for weight in head.merge.weights:
            weight.data.zero_()
    channels, hidden = script.importances(network, songs, crops=2)
    assert channels.shape == (16,) and not channels.any()
    assert {name: tuple(values.shape) for name, values in hidden.items()} == {"blocks.0.1": (48,), "blocks.0.3": (48,)}


def test_the_weights_of_the_kept_channels_and_units_stay(script: Any) -> None:
    network = tiny_bands()
    channels = script.most_important(torch.tensor([5.0, 1, 9, 2, 8, 7, 6, 4, 3, 0, 0, 0, 0, 0, 0, 0]), 8)
    assert channels.tolist() == [0, 2, 3, 4, 5, 6, 7, 8]
    hidden = {"blocks.0.1": torch.arange(24), "blocks.0.3": torch.arange(24, 48)}
    small = script.narrowed(network, channels, hidden)
    old, new = network.state_dict(), small.state_dict()
    assert small.config.band_channels == 8 and old.keys() == new.keys()
    for name, expected in {
        "split.0.weights.0": old["split.0.weights.0"][..., channels],
        "blocks.0.0.attention.to_qkv.weight": old["blocks.0.0.attention.to_qkv.weight"][:, channels],
        "blocks.0.0.attention.to_out.bias": old["blocks.0.0.attention.to_out.bias"][channels],
        "blocks.0.1.layers.1.weight": old["blocks.0.1.layers.1.weight"][:24][:, channels],
        "blocks.0.3.layers.3.weight": old["blocks.0.3.layers.3.weight"][channels][:, 24:48],
        "blocks.0.3.layers.1.bias": old["blocks.0.3.layers.1.bias"][24:48],
        "heads.1.hidden.1.weight": old["heads.1.hidden.1.weight"][:, channels],
        "blocks.0.2.narrow.weight": old["blocks.0.2.narrow.weight"],
    }.items():
        assert torch.equal(new[name], expected), name
    assert small(torch.randn(1, 2, 22_050)).shape == (1, 4, 2, 22_050)
