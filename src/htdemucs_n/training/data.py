"""From the configuration to the songs of a run."""

from __future__ import annotations

import dataclasses
from typing import Any

from htdemucs_n.errors import UserError
from htdemucs_n.training.bank import Song, StemBank, load_extra, load_songs
from htdemucs_n.training.config import TrainConfig
from htdemucs_n.training.distill import load_estimated
from htdemucs_n.training.partial import load_partial


def load_data(config: TrainConfig) -> tuple[StemBank, tuple[Song, ...]]:
    """The bank that `config` trains on, on its device, and the songs that it validates on.

    Raises `UserError` for a folder that is missing or empty, and for partial songs or mixtures without whole songs.
    """
    dset, sources, rate = config.dset, config.network.sources, config.network.samplerate
    if not dset.train and (dset.partial or config.distill.mixtures):
        key = "dset.partial" if dset.partial else "distill.mixtures"
        raise UserError(
            f"the songs of {key} can only be used beside whole songs, of which every stem is known: give folders of "
            "these, dset.train=[path]"
        )
    workers, device = dset.num_workers, config.misc.device
    found: dict[str, Any] = {"aliases": dset.aliases, "cache": dset.cache}
    songs = tuple(
        dataclasses.replace(song, weight=weight)
        for folder, weight in zip(dset.train, dset.weights or [1.0] * len(dset.train), strict=True)
        for song in load_songs([folder], sources, rate, workers, device, without=dset.valid, **found)
    )
    extra = load_extra(dset.extra, sources, rate, workers, device, cache=dset.cache)
    partial = load_partial(dset.partial, sources, rate, workers, device, **found)
    estimated, instrumental = load_estimated(config)
    bank = StemBank(songs, *extra, partial=partial + instrumental, estimated=estimated)
    valid = load_songs(dset.valid, sources, rate, workers, split="valid", **found)
    if valid and not any(stem is not None and stem.any() for song in valid for stem in song.stems):
        raise UserError(
            f"every stem of the songs in {', '.join(dset.valid)} (dset.valid) is silent: none can be scored"
        )
    return bank, valid
