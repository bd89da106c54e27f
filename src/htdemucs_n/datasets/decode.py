"""Files of a stem into int16 samples at one rate; files that cannot be read are named, counted and left out.

Samples over full scale are not cut off: a stem that has any is scaled down, and `at_one_scale` scales the other stems
of its song by as much.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio import Audio, resample
from htdemucs_n.audio.channels import at_most_stereo
from htdemucs_n.audio.integers import FULL_SCALE, to_integers
from htdemucs_n.datasets.cache import DecodedCache
from htdemucs_n.datasets.songs import StemFile
from htdemucs_n.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class DecodedStem:
    """Samples `(C, T)` as int16, which were divided by `scale`: 1, or their peak where that is higher."""

    samples: NDArray[np.int16]
    scale: float = 1.0

    def floats(self) -> NDArray[np.float32]:
        """The samples `(C, T)` at their own level, full scale 1.0."""
        return self.samples * np.float32(self.scale / FULL_SCALE)


def quantise(samples: NDArray[np.float32]) -> DecodedStem:
    """Samples of full scale 1.0 and any shape as int16, none of them cut off."""
    scale = max(1.0, float(np.abs(samples).max(initial=0.0)))
    return DecodedStem(to_integers(samples if scale == 1 else samples / np.float32(scale), 16), scale)


def at_one_scale(stems: Sequence[DecodedStem | None]) -> list[NDArray[np.int16] | None]:
    """The samples of the stems of a song, all divided by the highest scale among them; None stays None."""
    highest = max((stem.scale for stem in stems if stem is not None), default=1.0)

    def scaled(stem: DecodedStem | None) -> NDArray[np.int16] | None:
        if stem is None or stem.scale == highest:
            return None if stem is None else stem.samples
        return to_integers(stem.floats() / np.float32(highest), 16)

    return [scaled(stem) for stem in stems]


def decode(file: StemFile, sample_rate: int, channels: int | None) -> NDArray[np.float32]:
    """The samples `(C, T)` of a file at `sample_rate` Hz. Raises `UserError` as `htdemucs_n.audio.read_audio`.

    Channels are those of `convert`.
    """
    return convert(file.read(), sample_rate, channels)


def convert(audio: Audio, sample_rate: int, channels: int | None) -> NDArray[np.float32]:
    """The samples `(C, T)` of decoded audio at `sample_rate` Hz.

    More than two channels are mixed down to stereo. With `channels` 2 mono audio is put on both channels; with None
    it stays mono.
    """
    samples = at_most_stereo(audio.samples, audio.speakers)
    if audio.sample_rate != sample_rate:
        samples = resample(samples, audio.sample_rate, sample_rate)
    if channels is not None and samples.shape[0] != channels:
        samples = np.repeat(samples[:1], channels, axis=0)
    return samples


def add_up(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The sum `(C, T)` of parts `(C, T')`; the shorter ones end in silence."""
    total = np.zeros((parts[0].shape[0], max(part.shape[1] for part in parts)), np.float32)
    for part in parts:
        total[:, : part.shape[1]] += part
    return total


class StemReader:
    """Reads stems, through a cache where one is given, and counts what could not be read.

    Args:
        sample_rate: of the output, Hz.
        cache: folder of decoded stems; None decodes every time.
    """

    def __init__(self, sample_rate: int, cache: str | Path | None = None) -> None:
        self.sample_rate = sample_rate
        self.cache = None if cache is None else DecodedCache(cache)
        self.unreadable: list[StemFile] = []

    def read(self, files: Sequence[StemFile], channels: int | None = 2) -> DecodedStem | None:
        """The sum of `files`, samples `(C, T)`; None where there are none or none can be read.

        A file that can't be read is logged and left out of the sum. May be called from several threads.
        """
        entry = self._entry(files, channels)
        if cached := self._cached(entry):
            return cached
        parts = []
        for file in files:
            try:
                parts.append(decode(file, self.sample_rate, channels))
            except UserError as error:
                log.warning("skipped: %s", error)
                self.unreadable.append(file)
        if not parts:
            return None
        samples = parts[0] if len(parts) == 1 else add_up(parts)
        quantised = quantise(samples)
        if self.cache and entry and len(parts) == len(files):
            self.cache.store(entry, quantised.samples, quantised.scale)
            return self._cached(entry) or quantised
        return quantised

    def report(self, files: int) -> None:
        """Log how many of the `files` that were asked for could not be read, if any."""
        if self.unreadable:
            log.warning("%s of %s files could not be read", f"{len(self.unreadable):,}", f"{files:,}")

    def _cached(self, entry: Path | None) -> DecodedStem | None:
        loaded = self.cache.load(entry) if self.cache and entry else None
        return loaded and DecodedStem(*loaded)

    def _entry(self, files: Sequence[StemFile], channels: int | None) -> Path | None:
        if self.cache is None or not files:
            return None
        try:
            return self.cache.path(files, self.sample_rate, channels)
        except OSError:
            return None  # the file is missing: reading it raises the error
