"""From the configuration to the songs of a run."""

from __future__ import annotations

import dataclasses
from typing import Any

from htdemucs_n.training.bank import Song, StemBank, load_extra, load_songs
from htdemucs_n.training.config import TrainConfig


def load_data(config: TrainConfig) -> tuple[StemBank, tuple[Song, ...]]:
    """The bank that `config` trains on, on its device, and the songs that it validates on.

    Raises `UserError` for a folder that is missing or empty.
    """
    dset, sources, rate = config.dset, config.network.sources, config.network.samplerate
    workers, device = dset.num_workers, config.misc.device
    found: dict[str, Any] = {"aliases": dset.aliases, "cache": dset.cache}
    songs = tuple(
        dataclasses.replace(song, weight=weight)
        for folder, weight in zip(dset.train, dset.weights or [1.0] * len(dset.train), strict=True)
        for song in load_songs([folder], sources, rate, workers, device, without=dset.valid, **found)
    )
    extra = load_extra(dset.extra, sources, rate, workers, device, cache=dset.cache)
    # Mixtures lie in folders of plain files, as single stems do; they have no source.
    mixtures, _ = load_extra({sources[0]: config.distill.mixtures}, sources, rate, workers, device, cache=dset.cache)
    bank = StemBank(songs, *extra, mixtures=mixtures.get(0, ()))
    return bank, load_songs(dset.valid, sources, rate, workers, split="valid", **found)
