"""Make a narrower network of the kind of `bands` out of a trained one, from which a training can start.

    python scripts/narrow.py CHECKPOINT narrow.safetensors --songs SONGS [--channels 48] [--crops 24]
    htdemucs-n train preset=bands band_transformer.band_channels=48 continue_from=narrow.safetensors ...

The channels of the tokens, and as many times fewer hidden units of each feed-forward layer, are kept by how much the
loss depends on them: each is multiplied by a gate of 1, and its importance is the mean of the squared gradient of its
gate over some crops (Molchanov et al., 2019, eq. 8). Half of the crops are remixes of stems of different songs. SONGS
is a folder of songs in stems. The result has a lower score until it is trained.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from htdemucs_n.audio.integers import FULL_SCALE
from htdemucs_n.models.band_transformer import BandTransformer, FeedForward
from htdemucs_n.models.storage import load_saved_model, save_model
from htdemucs_n.training.bank import Song, load_songs

CROP = 4.0
"""Seconds."""


class Gates:
    """A gate of 1 for each channel of the tokens, and for each hidden unit of the feed-forward layers, by their names.

    They are in the network as long as this object is used in a `with` statement.
    """

    def __init__(self, network: BandTransformer) -> None:
        self.channels = torch.ones(network.config.band_channels, requires_grad=True)
        layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, FeedForward)}
        units = network.config.ff_mult * network.config.band_channels
        self.hidden = {name: torch.ones(units, requires_grad=True) for name in layers}
        blocks = [cast(nn.Sequential, block) for block in network.blocks]
        self._hooks = [block[0].register_forward_pre_hook(self._open) for block in blocks]
        self._hooks += [
            layer.register_forward_hook(lambda _, __, out: out * self.channels) for block in blocks for layer in block
        ]
        self._hooks += [
            layer.layers[2].register_forward_hook(lambda _, __, out, gate=self.hidden[name]: out * gate)
            for name, layer in layers.items()
        ]

    def _open(self, _: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (inputs[0] * self.channels,)

    def __enter__(self) -> Gates:
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()


def importances(
    network: BandTransformer, songs: Sequence[Song], crops: int, seed: int = 0
) -> tuple[Tensor, dict[str, Tensor]]:
    """The importance of each channel, and of each hidden unit by the name of its layer."""
    rng = np.random.default_rng(seed)
    with Gates(network) as gates:
        every = [gates.channels, *gates.hidden.values()]
        sums = [torch.zeros_like(gate) for gate in every]
        for number in range(crops):
            stems = _crop(songs, rng, network.samplerate, remix=number % 2 == 0)
            error = (network(stems.sum(dim=1)) - stems).square().mean(dim=(0, 2, 3))
            level = stems.square().mean(dim=(0, 2, 3))
            loss = (error / (level + 1e-4) + 1e-2).log10().mean()
            for total, gradient in zip(sums, torch.autograd.grad(loss, every), strict=True):
                total += gradient.square() / crops
    return sums[0], dict(zip(gates.hidden, sums[1:], strict=True))


def _crop(songs: Sequence[Song], rng: np.random.Generator, rate: int, remix: bool) -> Tensor:
    """The stems `(1, S, 2, T)` of a place of a song, or of one place of a song each."""
    length = round(CROP * rate)
    song, stems = songs[int(rng.integers(len(songs)))], []
    for index in range(len(song.stems)):
        chosen = songs[int(rng.integers(len(songs)))] if remix else song
        stem = chosen.stems[index]
        audio = torch.zeros(2, length)
        if stem is not None:
            start = int(rng.integers(max(1, stem.shape[-1] - length)))
            cut = stem[:, start : start + length].float() / FULL_SCALE
            audio[:, : cut.shape[-1]] = cut
        stems.append(audio)
    return torch.stack(stems).unsqueeze(0)


def most_important(values: Tensor, count: int) -> Tensor:
    """The indices of the `count` highest values, in rising order."""
    return values.topk(count).indices.sort().values


def narrowed(network: BandTransformer, channels: Tensor, hidden: dict[str, Tensor]) -> BandTransformer:
    """The network with these channels and hidden units alone, given as indices."""
    config = replace(network.config, band_channels=len(channels))
    small = BandTransformer(config).eval()
    tensors = {}
    for name, wanted in small.state_dict().items():
        tensor = network.state_dict()[name]
        layer = name.partition(".layers.")[0]
        for axis in range(tensor.ndim):
            if tensor.shape[axis] != wanted.shape[axis]:
                units = tensor.shape[axis] == network.config.ff_mult * network.config.band_channels
                tensor = tensor.index_select(axis, hidden[layer] if units else channels)
        tensors[name] = tensor
    small.load_state_dict(tensors)
    return small


def main() -> None:
    """Read the network, measure, and write the narrower one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--songs", type=Path, required=True)
    parser.add_argument("--channels", type=int, default=48)
    parser.add_argument("--crops", type=int, default=24)
    options = parser.parse_args()
    network, _ = load_saved_model(options.checkpoint)
    if not isinstance(network, BandTransformer):
        sys.exit(
            f"{options.checkpoint} is another kind of network: only one of the kind of `bands` can be made narrower"
        )
    songs = load_songs([options.songs], network.sources, network.samplerate, workers=2)
    channels, hidden = importances(network, songs, options.crops)
    units = options.channels * network.config.ff_mult
    small = narrowed(
        network,
        most_important(channels, options.channels),
        {name: most_important(values, units) for name, values in hidden.items()},
    )
    save_model(options.out, small, {})
    print(f"{options.out}: {sum(p.numel() for p in small.parameters()):,} parameters")


if __name__ == "__main__":
    main()
