"""Batches drawn from the bank: item n of a seed is always the same, so a resumed run gets the same batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from htdemucs_n.errors import UserError
from htdemucs_n.models.config import HOP
from htdemucs_n.training.augment import apply_effects, resampled, shift_pitch
from htdemucs_n.training.bank import FULL_SCALE, Song, StemBank, draw_weights
from htdemucs_n.training.config import AugmentConfig, DatasetConfig

_WHOLE = 15000.0
"""Recordings that reach this frequency, Hz, count as full-band: a filter above it would cost more than it changes."""


@dataclass(frozen=True)
class Recording:
    """The recording that one target of an item is cut from."""

    samples: Tensor | None
    """int16 `(C, T)`; None is silence."""

    bandwidth: float
    """The frequency up to which it has content, Hz."""

    group: tuple[int, ...]
    """The sources that it is the sum of."""


@dataclass(frozen=True)
class Batch:
    """The input of a step. An item has as many targets as there are sources, S; unused ones are zero."""

    mixture: Tensor
    """`(B, C, T)`, each scaled to an RMS of 1."""

    targets: Tensor
    """`(B, S, C, T)`: recordings of one stem or of a sum of stems, which add up to the mixture."""

    groups: Tensor
    """`(B, S, S)`: 1 where target g (second dimension) holds source s (third), 0 elsewhere."""

    cutoff: Tensor
    """`(B, S)`, Hz, on the CPU: the frequency up to which each target is known; infinite where that is all."""

    estimated: Tensor
    """`(B,)`, boolean: whether the targets come from a teacher."""


@dataclass(frozen=True)
class _Item:
    """One item of a batch, as in `Batch` without its first dimension."""

    targets: Tensor
    groups: Tensor
    cutoff: list[float]
    estimated: bool


class BatchSampler:
    """Cuts crops out of the bank on its device, mixes and augments them.

    `estimated_share` is the share of items that a teacher separated.
    """

    def __init__(
        self,
        bank: StemBank,
        dset: DatasetConfig,
        augment: AugmentConfig,
        sample_rate: int,
        seed: int,
        estimated_share: float = 0.0,
    ) -> None:
        if not bank.songs:
            raise UserError("there is nothing to train on: give folders of songs, dset.train=[path]")
        self.bank = bank
        self.sources = len(bank.songs[0].stems)
        self.weights = np.array(draw_weights(bank.songs))
        self.stem_weights = np.array([draw_weights(bank.songs, source) for source in range(self.sources)])
        self.partial_weights = np.array(draw_weights(bank.partial))
        self.estimated_weights = np.array(draw_weights(bank.estimated))
        self.dset = dset
        self.augment = augment
        self.stem_effects = list(augment.stem_effects.values())
        self.mixture_effects = list(augment.mixture_effects.values())
        self.sample_rate = sample_rate
        self.seed = seed
        self.estimated_share = estimated_share if bank.estimated else 0.0
        self.partial_share = dset.partial_share if bank.partial else 0.0
        self.length = max(1, round(dset.segment * sample_rate / HOP)) * HOP
        """Samples of a crop: the segment, rounded to whole frames."""

    def batch(self, number: int) -> Batch:
        """Batch `number`: items `number * batch_size` and on, each a function of the seed and its own number alone.

        The items of a step are the same however they are divided, into accumulated batches or between ranks.
        """
        first = number * self.dset.batch_size
        items = [self._item(np.random.default_rng([self.seed, n])) for n in range(first, first + self.dset.batch_size)]
        targets = torch.stack([item.targets for item in items])
        mixture = targets.sum(dim=1)
        loudness = mixture.square().mean(dim=(1, 2)).sqrt()
        # An item that came out (nearly) silent is left as it is.
        scale = loudness.where(loudness > 1e-4, torch.ones_like(loudness))[:, None, None]
        return Batch(
            mixture / scale,
            targets / scale[:, None],
            torch.stack([item.groups for item in items]),
            torch.tensor([item.cutoff for item in items]),
            torch.tensor([item.estimated for item in items], device=targets.device),
        )

    def _item(self, random: np.random.Generator) -> _Item:
        song = self._song(random)
        # A song of a teacher is not remixed: the remains of one stem in another belong to that song alone.
        coherent = random.random() >= self.augment.remix or song.estimated
        recordings = [Recording(*known) for known in zip(song.stems, song.bandwidths, song.groups, strict=True)]
        if not coherent:
            # A sum of stems can't be divided, so it is kept; single stems are drawn from all songs.
            recordings = [r if len(r.group) > 1 else self._single(r.group[0], random) for r in recordings]
        crops, cutoff = self._crops(recordings, coherent, random)
        if not coherent:
            self._double(crops, cutoff, recordings, random)
        mixed = apply_effects(torch.stack(crops), self.mixture_effects, random, self.sample_rate)
        targets = mixed.new_zeros(self.sources, *mixed.shape[1:])
        targets[: len(crops)] = mixed
        groups = mixed.new_zeros(self.sources, self.sources)
        for number, recording in enumerate(recordings):
            groups[number, list(recording.group)] = 1
        unused = [math.inf] * (self.sources - len(crops))
        return _Item(targets, groups, cutoff + unused, song.estimated)

    def _song(self, random: np.random.Generator) -> Song:
        """A song with all stems, one with some, or one that a teacher separated."""
        kind = random.random()
        if kind < self.estimated_share:
            return self.bank.estimated[random.choice(len(self.bank.estimated), p=self.estimated_weights)]
        if kind < self.estimated_share + self.partial_share:
            return self.bank.partial[random.choice(len(self.bank.partial), p=self.partial_weights)]
        return self.bank.songs[random.choice(len(self.bank.songs), p=self.weights)]

    def _single(self, source: int, random: np.random.Generator) -> Recording:
        """One stem, from any song or from the single stems."""
        extra = self.bank.extra.get(source, ())
        if extra and random.random() < self.dset.extra_share:
            index = random.integers(len(extra))
            return Recording(extra[index], self.bank.extra_bandwidths[source][index], (source,))
        song = self.bank.songs[random.choice(len(self.bank.songs), p=self.stem_weights[source])]
        return Recording(song.stems[source], song.bandwidths[source], (source,))

    def _crops(
        self, recordings: Sequence[Recording], coherent: bool, random: np.random.Generator
    ) -> tuple[list[Tensor], list[float]]:
        """An augmented crop `(2, T)` of each recording and the frequency up to which it is known, Hz.

        The recordings of a coherent item are cut at one place and share their speed and pitch.
        """
        lengths = [0 if recording.samples is None else recording.samples.shape[-1] for recording in recordings]
        crops, cutoff = [], []
        speed, pitch, place = self._draw(random)
        for recording, length in zip(recordings, lengths, strict=True):
            if not coherent:
                speed, pitch, place = self._draw(random)
            crop = self._crop(recording.samples, speed, place, max(lengths) if coherent else length)
            if pitch and recording.samples is not None:
                crop = shift_pitch(crop, pitch)
            crops.append(apply_effects(crop, self.stem_effects, random, self.sample_rate))
            known = recording.bandwidth
            cutoff.append(known * speed * 2 ** (pitch / 12) if known < _WHOLE else math.inf)
        return crops, cutoff

    def _double(
        self, crops: list[Tensor], cutoff: list[float], recordings: Sequence[Recording], random: np.random.Generator
    ) -> None:
        """Add a second recording of the same source to some of the `crops`, in place: two voices, two guitars."""
        for number, recording in enumerate(recordings):
            if len(recording.group) > 1 or random.random() >= self.augment.doubling:
                continue
            (second,), (known,) = self._crops([self._single(recording.group[0], random)], False, random)
            crops[number] = crops[number] + second
            cutoff[number] = min(cutoff[number], known)

    def _draw(self, random: np.random.Generator) -> tuple[float, float, float]:
        """Speed, pitch in semitones, and place (0 to 1) of a crop."""
        return self.augment.speed.draw(random), self.augment.pitch.draw(random), random.random()

    def _crop(self, stem: Tensor | None, speed: float, place: float, total: int) -> Tensor:
        """`length` samples `(2, T)`, played at `speed`, from `place` (0 to 1) of the `total` that can be cut."""
        if stem is None:
            return torch.zeros(2, self.length, device=self.bank.device)
        wanted = max(1, round(self.length * speed / HOP)) * HOP  # lengths whose Fourier transform is fast
        start = int(place * max(0, total - wanted + 1))
        piece = stem[:, start : start + wanted].float() / FULL_SCALE
        piece = torch.nn.functional.pad(piece, (0, wanted - piece.shape[-1]))
        return resampled(piece, self.length).expand(2, -1)
