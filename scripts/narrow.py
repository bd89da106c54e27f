"""Make a narrower network out of a trained one, from which a training can start.

    python scripts/narrow.py bands.safetensors narrow.safetensors --songs SONGS band_channels=48
    htdemucs-n train preset=bands band_transformer.band_channels=48 continue_from=narrow.safetensors ...

The last arguments are the widths to change, keys of the network's section of the config. Of each group of channels
(`channel_groups.py`) as many are kept as the narrower network has, by how much the loss depends on them: the change of
the loss, to the first order, when a channel is scaled by a gate is the sum of weight times gradient over what writes
the channel, and the mean of its square over some crops is the importance of the channel (Molchanov et al., 2019, eq.
8). Half of the crops are remixes of stems of different songs. SONGS is a folder of songs in stems. The result has a
lower score until it is trained.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from channel_groups import Layer, Places, axes, is_writer, layers_of
from htdemucs_n.audio.integers import FULL_SCALE
from htdemucs_n.models.architectures import Network, build_network
from htdemucs_n.models.storage import load_saved_model, save_model
from htdemucs_n.training.bank import Song, load_songs

CROP = 4.0
"""Seconds."""


def importances(network: Network, songs: Sequence[Song], crops: int, seed: int = 0) -> dict[str, Tensor]:
    """The importance of each channel, by the name of its group."""
    rng = np.random.default_rng(seed)
    parameters = dict(network.named_parameters())
    written = [
        (layer.writes, next(axis for axis, groups in places.items() if groups == (layer.writes,)), parameters[path])
        for path, module, layer, places in tensors_of(network)
        if path in parameters and layer.writes is not None and is_writer(module)
    ]
    sums: dict[str, Tensor] = {}
    for number in range(crops):
        stems = _crop(songs, rng, network.samplerate, remix=number % 2 == 0)
        error = (network(stems.sum(dim=1)) - stems).square().mean(dim=(0, 2, 3))
        level = stems.square().mean(dim=(0, 2, 3))
        loss = (error / (level + 1e-4) + 1e-2).log10().mean()
        gradients = torch.autograd.grad(loss, [tensor for _, _, tensor in written])
        gates: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
        for (group, axis, tensor), gradient in zip(written, gradients, strict=True):
            product = (tensor.detach() * gradient).movedim(axis, 0)
            gates[group] = gates[group] + product.reshape(len(product), -1).sum(dim=1)
        for group, gate in gates.items():
            sums[group] = sums.get(group, torch.zeros(())) + gate.square() / crops
    return sums


def tensors_of(network: Network) -> Iterator[tuple[str, nn.Module, Layer, Places]]:
    """The tensors with channels that can be removed, by name: their layer, and the groups along their axes."""
    modules = dict(network.named_modules())
    for name, layer in layers_of(network).items():
        if name in modules:  # a residual block may have no shortcut
            for key, tensor in modules[name].state_dict().items():
                yield f"{name}.{key}", modules[name], layer, axes(modules[name], layer, tensor.ndim)


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


def narrowed(network: Network, widths: dict[str, Any], importance: dict[str, Tensor]) -> Network:
    """The network with other widths, keys of its config, that keeps the most important channels of each group."""
    small = build_network(replace(network.config, **widths)).eval()
    old, new = network.state_dict(), small.state_dict()
    places = {path: along for path, _, _, along in tensors_of(network)}
    kept = {}
    for path, along in places.items():
        for axis, (group, *others) in along.items():
            if group is not None and not others:
                kept[group] = importance[group].topk(new[path].shape[axis]).indices.sort().values
    for path, along in places.items():
        for axis, groups in along.items():
            rest = old[path].shape[axis] - sum(len(importance[group]) for group in groups if group is not None)
            indices, start = [], 0
            for group in groups:
                size = rest if group is None else len(importance[group])
                indices.append(start + (torch.arange(size) if group is None else kept[group]))
                start += size
            old[path] = old[path].index_select(axis, torch.cat(indices))
    small.load_state_dict(old)
    return small


def main() -> None:
    """Read the network, measure, and write the narrower one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("widths", nargs="+", metavar="KEY=WIDTH")
    parser.add_argument("--songs", type=Path, required=True)
    parser.add_argument("--crops", type=int, default=24)
    options = parser.parse_args()
    network, _ = load_saved_model(options.checkpoint)
    songs = load_songs([options.songs], network.sources, network.samplerate, workers=2)
    widths = {key: int(width) for key, _, width in (text.partition("=") for text in options.widths)}
    try:
        small = narrowed(network, widths, importances(network, songs, options.crops))
    except TypeError as error:
        sys.exit(f"{options.checkpoint}: {error}")
    save_model(options.out, small, {})
    print(f"{options.out}: {sum(p.numel() for p in small.parameters()):,} parameters")


if __name__ == "__main__":
    main()
