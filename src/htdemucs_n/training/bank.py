"""The stem bank: all stems that are trained on, decoded once and kept as int16.

A song that has samples over full scale is scaled down as a whole, so nothing is clipped and its stems still add up.

`htdemucs_n.datasets` finds and decodes the files. A folder of single stems (`dset.extra`) holds audio files of one
instrument, at any depth. They have no song around them, so they only ever appear in remixes.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from htdemucs_n.audio.integers import FULL_SCALE
from htdemucs_n.datasets.bandwidth import bandwidth
from htdemucs_n.datasets.decode import StemReader, at_one_scale
from htdemucs_n.datasets.names import alias_table
from htdemucs_n.datasets.songs import SongFiles, Split, StemFile, audio_files, find_songs
from htdemucs_n.errors import UserError
from htdemucs_n.tables import counted

__all__ = ["FULL_SCALE", "Song", "StemBank", "load_extra", "load_songs"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Song:
    """A song: its name and int16 recordings `(C, T)` that add up to the mixture; None is silence.

    Usually every stem is known and there is a recording for each. Where only sums of stems are known, `groups` names
    the sources (by index) that each recording holds: `((3,), (0, 1, 2))` for the vocals and everything else.

    `bandwidths` holds the frequency (Hz) up to which each recording has content, as `datasets.bandwidth` measures it;
    it is infinite for one that is silent or was not measured. `weight` is the relative probability with which the song
    is drawn. `estimated` marks stems that a teacher separated, which contain errors.
    """

    name: str
    stems: tuple[Tensor | None, ...]
    bandwidths: tuple[float, ...] = ()
    weight: float = 1.0
    groups: tuple[tuple[int, ...], ...] = ()
    estimated: bool = False

    def __post_init__(self) -> None:
        if not self.bandwidths:
            object.__setattr__(self, "bandwidths", (math.inf,) * len(self.stems))
        if not self.groups:
            object.__setattr__(self, "groups", tuple((index,) for index in range(len(self.stems))))

    @property
    def length(self) -> int:
        """Samples of the longest stem."""
        return max(stem.shape[-1] for stem in self.stems if stem is not None)

    def mixture_and_stems(self) -> tuple[Tensor, Tensor]:
        """The sum of the stems `(C, T)` and the stems `(S, C, T)`, float32."""
        present = next(stem for stem in self.stems if stem is not None)
        stems = torch.zeros(len(self.stems), present.shape[0], self.length, device=present.device)
        for index, stem in enumerate(self.stems):
            if stem is not None:
                stems[index, :, : stem.shape[-1]] = stem / FULL_SCALE
        return stems.sum(dim=0), stems


@dataclass(frozen=True, eq=False)
class StemBank:
    """All that is trained on: whole songs, and single stems `(C, T)` by the index of their source.

    `extra_bandwidths` holds the frequency (Hz) up to which each single stem has content; a source that it lacks was not
    measured.
    """

    songs: tuple[Song, ...]
    extra: Mapping[int, tuple[Tensor, ...]]
    extra_bandwidths: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    partial: tuple[Song, ...] = ()
    """Songs of which only sums of stems are known."""
    estimated: tuple[Song, ...] = ()
    """Songs that a teacher separated."""

    @property
    def device(self) -> torch.device:
        """Where the samples lie."""
        return next(stem.device for song in self.songs for stem in song.stems if stem is not None)

    @property
    def minutes(self) -> float:
        """Length of the songs together, minutes at 44.1 kHz."""
        return sum(song.length for song in self.songs) / 44100 / 60


def draw_weights(songs: Sequence[Song], source: int | None = None) -> list[float]:
    """The probability with which each song is drawn: by its weight and the square root of its length.

    Drawn by length, five long songs would fill most batches beside seventy previews; drawn evenly, they would hardly
    appear. For the stem of one source, only the songs that have it are drawn (all of them, should none have it).
    """
    roots = [
        song.weight * math.sqrt(song.length) * (source is None or song.stems[source] is not None) for song in songs
    ]
    if source is not None and not any(roots):
        return draw_weights(songs)
    return [root / sum(roots) for root in roots]


def load_songs(
    folders: Sequence[str | Path],
    sources: Sequence[str],
    sample_rate: int,
    workers: int,
    device: str = "cpu",
    *,
    split: Split = "train",
    without: Sequence[str | Path] = (),
    aliases: Mapping[str, str | None] | None = None,
    cache: str | Path | None = None,
) -> tuple[Song, ...]:
    """Decode every song of `folders`, sorted by path. A file that can't be read is named, and its stem left silent.

    Args:
        folders: what `datasets.songs` reads: folders of songs or of stem files, or roots of MUSDB18.
        sources: names of the stems, in the order of `Song.stems`.
        sample_rate: of the samples, Hz.
        workers: threads.
        device: where the samples go.
        split: which songs of a MUSDB18 root.
        without: folders whose songs, of the validation split of a root, are left out: no song is in both.
        aliases: stems by the names of files, over `datasets.names.ALIASES`.
        cache: folder of decoded stems; None keeps none.

    Raises:
        UserError: a folder that is missing or contains no song, or no file of it could be read.
    """
    table = alias_table(sources, aliases)
    held_out = {song.path.resolve() for folder in without for song in find_songs(folder, sources, table, "valid")}
    found = [song for folder in folders for song in find_songs(folder, sources, table, split)]
    kept = [song for song in found if song.path.resolve() not in held_out]
    if len(kept) < len(found):
        log.info("%s held out for validation", counted(len(found) - len(kept), "song"))
    _report_unknown(kept)
    reader = StemReader(sample_rate, cache)

    def load(song: SongFiles) -> Song:
        decoded = at_one_scale([reader.read(files) for files in song.stems])
        stems = [_measured(samples, sample_rate, device) for samples in decoded]
        return Song(song.name, tuple(stem for stem, _ in stems), tuple(limit for _, limit in stems))

    with ThreadPoolExecutor(max(1, workers)) as pool:
        songs = [song for song in pool.map(load, kept) if any(stem is not None for stem in song.stems)]
    reader.report(sum(len(files) for song in kept for files in song.stems))
    if kept and not songs:
        raise UserError(f"no file of the songs in {', '.join(map(str, folders))} can be read: they are not audio")
    return tuple(songs)


def load_extra(
    folders: Mapping[str, Sequence[str | Path]],
    sources: Sequence[str],
    sample_rate: int,
    workers: int,
    device: str,
    *,
    cache: str | Path | None = None,
) -> tuple[dict[int, tuple[Tensor, ...]], dict[int, tuple[float, ...]]]:
    """Decode folders of single stems, keyed by source. They stay in their own channel count (1 or 2).

    Returns the stems and their bandwidths in Hz, each by the index of their source, for `StemBank(songs, *extra)`.
    Raises `UserError` for an unknown source or an empty folder.
    """
    extra: dict[int, tuple[Tensor, ...]] = {}
    bandwidths: dict[int, tuple[float, ...]] = {}
    reader = StemReader(sample_rate, cache)
    total = 0
    for source, places in folders.items():
        if source not in sources:
            raise UserError(f"config key 'dset.extra.{source}': no such source, use one of {', '.join(sources)}")
        if not places:
            continue
        files = audio_files(places)
        if not files:
            raise UserError(f"no audio files in {', '.join(map(str, places))} (dset.extra.{source})")
        total += len(files)

        def load(file: Path) -> tuple[Tensor | None, float]:
            stem = reader.read([StemFile(file)], channels=None)
            return _measured(None if stem is None else stem.samples, sample_rate, device)

        with ThreadPoolExecutor(max(1, workers)) as pool:
            stems = [(stem, limit) for stem, limit in pool.map(load, files) if stem is not None]
        index = list(sources).index(source)
        extra[index] = tuple(stem for stem, _ in stems)
        bandwidths[index] = tuple(limit for _, limit in stems)
    reader.report(total)
    return extra, bandwidths


def _measured(samples: NDArray[np.int16] | None, sample_rate: int, device: str) -> tuple[Tensor | None, float]:
    """A stem `(C, T)` on its device, and its bandwidth in Hz."""
    if samples is None:
        return None, math.inf
    return torch.from_numpy(samples).to(device), bandwidth(samples, sample_rate)


def _report_unknown(songs: Sequence[SongFiles]) -> None:
    """Log the names of files that are of no stem, and the suffixes of stems that are not read, each once."""
    for name, count in sorted(Counter(file.stem for song in songs for file in song.unknown).items()):
        where = counted(count, "song")
        log.warning("'%s' is left out of %s: its name belongs to no stem, so add it to dset.aliases", name, where)
    for suffix, count in sorted(Counter(file.suffix for song in songs for file in song.unread).items()):
        log.warning(
            "%s with the suffix '%s' left out, because this format is not read: convert them",
            counted(count, "stem"),
            suffix,
        )
