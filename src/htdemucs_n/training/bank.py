"""The stem bank: folders of songs, decoded once and kept as int16.

    folder/
      A song/
        drums.wav  bass.flac  other.ogg  vocals.mp3     any format that `separate` reads; a missing stem is silence
      Another song/
        ...

A folder of single stems (`dset.extra`) holds audio files of one instrument, at any depth. They have no song around
them, so they only ever appear in remixes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from htdemucs_n.audio import read_audio, resample
from htdemucs_n.errors import UserError

log = logging.getLogger(__name__)

_SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff"}
FULL_SCALE = 32768.0
"""What int16 samples are divided by: the scale of 16-bit files, whose samples are kept as they are."""


@dataclass(frozen=True, eq=False)
class Song:
    """A song: its name and one int16 tensor `(C, T)` a stem; a stem that the folder lacks is None."""

    name: str
    stems: tuple[Tensor | None, ...]

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
    """All that is trained on: whole songs, and single stems by the index of their source."""

    songs: tuple[Song, ...]
    extra: Mapping[int, tuple[Tensor, ...]]

    @property
    def minutes(self) -> float:
        """Length of the songs together, minutes at 44.1 kHz."""
        return sum(song.length for song in self.songs) / 44100 / 60

    def weights(self) -> list[float]:
        """How often each song is drawn, summing to 1: by the square root of its length.

        Drawn by length, five long songs would drown seventy previews; drawn evenly, they would hardly be heard.
        """
        roots = [math.sqrt(song.length) for song in self.songs]
        return [root / sum(roots) for root in roots]


def load_songs(
    folders: Sequence[str | Path], sources: Sequence[str], sample_rate: int, workers: int, device: str = "cpu"
) -> tuple[Song, ...]:
    """Decode every song of `folders`, sorted by path. A file that can't be read is named, and its stem left silent.

    Raises `UserError` for a folder that is missing or holds no song.
    """
    found: list[tuple[Path, list[Path | None]]] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise UserError(f"no folder of songs at '{folder}': give dset.train and dset.valid folders that exist")
        songs = [(song, [_stem_file(song, source) for source in sources]) for song in sorted(folder.iterdir())]
        songs = [(song, files) for song, files in songs if any(files)]
        if not songs:
            raise UserError(f"'{folder}' holds no songs: expected song/{{{','.join(sources)}}}.wav (or other formats)")
        found += songs
    with ThreadPoolExecutor(max(1, workers)) as pool:
        decoded = list(pool.map(lambda entry: tuple(_decode(f, sample_rate, device, 2) for f in entry[1]), found))
    named = zip(found, decoded, strict=True)
    return tuple(Song(song.name, stems) for (song, _), stems in named if any(s is not None for s in stems))


def load_extra(
    folders: Mapping[str, Sequence[str | Path]],
    sources: Sequence[str],
    sample_rate: int,
    workers: int,
    device: str,
) -> dict[int, tuple[Tensor, ...]]:
    """Decode folders of single stems, keyed by source. They stay in their own channel count (1 or 2).

    Raises `UserError` for an unknown source or an empty folder.
    """
    extra: dict[int, tuple[Tensor, ...]] = {}
    for source, places in folders.items():
        if source not in sources:
            raise UserError(f"config key 'dset.extra.{source}': no such source, use one of {', '.join(sources)}")
        if not places:
            continue
        files = sorted(f for place in places for f in Path(place).rglob("*") if f.suffix.lower() in _SUFFIXES)
        if not files:
            raise UserError(f"no audio files in {', '.join(map(str, places))} (dset.extra.{source})")
        with ThreadPoolExecutor(max(1, workers)) as pool:
            decoded = pool.map(lambda file: _decode(file, sample_rate, device, None), files)
            extra[list(sources).index(source)] = tuple(stem for stem in decoded if stem is not None)
    return extra


def _stem_file(song: Path, source: str) -> Path | None:
    if not song.is_dir():
        return None
    return next((f for f in sorted(song.glob(f"{source}.*")) if f.suffix.lower() in _SUFFIXES), None)


def _decode(file: Path | None, sample_rate: int, device: str, channels: int | None) -> Tensor | None:
    """A file as int16 `(C, T)`; None where there is no file or it can't be read, which is logged."""
    if file is None:
        return None
    try:
        audio = read_audio(file)
    except UserError as error:
        log.warning("skipped: %s", error)
        return None
    samples = audio.samples[:2]
    if audio.sample_rate != sample_rate:
        samples = resample(samples, audio.sample_rate, sample_rate)
    if channels is not None and samples.shape[0] != channels:
        samples = np.repeat(samples[:1], channels, axis=0)
    quantised = np.clip(np.round(samples * FULL_SCALE), -32768, 32767).astype(np.int16)
    return torch.from_numpy(quantised).to(device)
