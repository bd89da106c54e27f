"""Batches drawn from the bank: batch n of a seed is always the same, so a resumed run sees what it would have seen."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from htdemucs_n.errors import UserError
from htdemucs_n.models.config import HOP
from htdemucs_n.training.augment import augment_stems, change_speed, draw_speed
from htdemucs_n.training.bank import FULL_SCALE, StemBank
from htdemucs_n.training.config import AugmentConfig, DatasetConfig


class BatchSampler:
    """Cuts crops out of the bank on its device, mixes and augments them."""

    def __init__(
        self, bank: StemBank, dset: DatasetConfig, augment: AugmentConfig, sample_rate: int, seed: int
    ) -> None:
        if not bank.songs:
            raise UserError("there is nothing to train on: give folders of songs, dset.train=[path]")
        self.bank = bank
        self.weights = np.array(bank.weights())
        self.dset = dset
        self.augment = augment
        self.seed = seed
        self.sources = len(bank.songs[0].stems)
        self.length = max(1, round(dset.segment * sample_rate / HOP)) * HOP
        """Samples of a crop: the segment, rounded to whole frames."""

    def batch(self, step: int) -> Tensor:
        """The stems of batch number `step`, `(B, S, C, T)`, each item scaled so that its mixture has an RMS of 1."""
        random = np.random.default_rng([self.seed, step])
        stems = torch.stack([self._item(random) for _ in range(self.dset.batch_size)])
        stems = augment_stems(stems, random, self.augment)
        loudness = stems.sum(dim=1).square().mean(dim=(1, 2)).sqrt()
        # An item that came out (nearly) silent is left as it is.
        return stems / loudness.where(loudness > 1e-4, torch.ones_like(loudness))[:, None, None, None]

    def _item(self, random: np.random.Generator) -> Tensor:
        """The stems of one mixture `(S, C, T)`: of one place in one song, or each from another."""
        if random.random() >= self.augment.remix:
            song = self.bank.songs[random.choice(len(self.weights), p=self.weights)]
            speed, place = draw_speed(random, self.augment), random.random()
            return torch.stack([self._crop(stem, speed, place, song.length) for stem in song.stems])
        return torch.stack([self._single(source, random) for source in range(self.sources)])

    def _single(self, source: int, random: np.random.Generator) -> Tensor:
        """One stem `(C, T)` from anywhere."""
        extra = self.bank.extra.get(source, ())
        if extra and random.random() < self.dset.extra_share:
            stem: Tensor | None = extra[random.integers(len(extra))]
        else:
            stem = self.bank.songs[random.choice(len(self.weights), p=self.weights)].stems[source]
        total = 0 if stem is None else stem.shape[-1]
        return self._crop(stem, draw_speed(random, self.augment), random.random(), total)

    def _crop(self, stem: Tensor | None, speed: float, place: float, total: int) -> Tensor:
        """`length` samples of a stem, played at `speed`, from `place` (0 to 1) of the `total` that can be cut."""
        device = next(s.device for s in self.bank.songs[0].stems if s is not None)
        if stem is None:
            return torch.zeros(2, self.length, device=device)
        wanted = max(1, round(self.length * speed / HOP)) * HOP  # lengths whose Fourier transform is quick
        start = int(place * max(0, total - wanted + 1))
        piece = stem[:, start : start + wanted].float() / FULL_SCALE
        piece = torch.nn.functional.pad(piece, (0, wanted - piece.shape[-1]))
        return change_speed(piece, self.length).expand(2, -1)
