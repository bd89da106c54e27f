"""Batches drawn from the bank: item n of a seed is always the same, so a resumed run sees what it would have seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from htdemucs_n.errors import UserError
from htdemucs_n.models.config import HOP
from htdemucs_n.training.augment import augment_mixture, augment_stem, draw_pitch, draw_speed
from htdemucs_n.training.bank import FULL_SCALE, Song, StemBank
from htdemucs_n.training.config import AugmentConfig, DatasetConfig
from htdemucs_n.training.effects import resampled, shift_pitch

_WHOLE = 15000.0
"""Recordings that reach this far, Hz, count as whole: what good codecs cut above it is not worth a filter a step."""

_Recording = tuple[Tensor | None, float]
"""Samples `(C, T)`, None for silence, and the frequency up to which they have sound, Hz."""


@dataclass(frozen=True)
class Batch:
    """What a step is made of."""

    mixture: Tensor
    """`(B, C, T)`, each scaled to an RMS of 1."""

    stems: Tensor
    """`(B, S, C, T)`, which add up to the mixture; zeros where they are not known."""

    cutoff: Tensor
    """`(B, S)`, Hz, on the CPU: up to where each recording has sound; infinite where it has all."""

    labelled: Tensor
    """`(B,)`, on the CPU: whether the stems are known."""


class BatchSampler:
    """Cuts crops out of the bank on its device, mixes and augments them."""

    def __init__(
        self,
        bank: StemBank,
        dset: DatasetConfig,
        augment: AugmentConfig,
        sample_rate: int,
        seed: int,
        mixtures_share: float = 0.0,
    ) -> None:
        if not bank.songs:
            raise UserError("there is nothing to train on: give folders of songs, dset.train=[path]")
        self.bank = bank
        self.sources = len(bank.songs[0].stems)
        self.weights = np.array(bank.weights())
        self.stem_weights = np.array([bank.weights(source) for source in range(self.sources)])
        self.dset = dset
        self.augment = augment
        self.sample_rate = sample_rate
        self.seed = seed
        self.mixtures_share = mixtures_share if bank.mixtures else 0.0
        """How often an item is a song of which only the mixture is known."""
        self.length = max(1, round(dset.segment * sample_rate / HOP)) * HOP
        """Samples of a crop: the segment, rounded to whole frames."""

    def batch(self, number: int) -> Batch:
        """Batch `number`: items `number * batch_size` and on, each a function of the seed and its own number alone.

        So however the items of a step are shared out, over accumulated batches or over ranks, they are the same.
        """
        first = number * self.dset.batch_size
        items = [self._item(np.random.default_rng([self.seed, n])) for n in range(first, first + self.dset.batch_size)]
        mixture, stems = torch.stack([item[0] for item in items]), torch.stack([item[1] for item in items])
        loudness = mixture.square().mean(dim=(1, 2)).sqrt()
        # An item that came out (nearly) silent is left as it is.
        scale = loudness.where(loudness > 1e-4, torch.ones_like(loudness))[:, None, None]
        cutoff = torch.tensor([item[2] for item in items])
        labelled = torch.tensor([item[3] for item in items])
        return Batch(mixture / scale, stems / scale[:, None], cutoff, labelled)

    def _item(self, random: np.random.Generator) -> tuple[Tensor, Tensor, list[float], bool]:
        """Mixture `(C, T)`, stems `(S, C, T)`, cutoffs in Hz, and whether the stems are known."""
        labelled = random.random() >= self.mixtures_share
        recordings: list[_Recording]
        if not labelled:
            recordings, coherent = [(self.bank.mixtures[random.integers(len(self.bank.mixtures))], math.inf)], True
        elif coherent := random.random() >= self.augment.remix:
            song = self._song(random, self.weights)
            recordings = list(zip(song.stems, song.bandwidths, strict=True))
        else:
            recordings = [self._single(source, random) for source in range(self.sources)]
        speed, pitch, place = self._draw(random)
        lengths = [0 if stem is None else stem.shape[-1] for stem, _ in recordings]
        crops, cutoffs = [], []
        for (stem, bandwidth), length in zip(recordings, lengths, strict=True):
            if not coherent:
                speed, pitch, place = self._draw(random)
            crop = self._crop(stem, speed, place, max(lengths) if coherent else length)
            if pitch and stem is not None:
                crop = shift_pitch(crop, pitch)
            crops.append(augment_stem(crop, random, self.augment, self.sample_rate))
            cutoffs.append(bandwidth * speed * 2 ** (pitch / 12) if bandwidth < _WHOLE else math.inf)
        stems = augment_mixture(torch.stack(crops), random, self.augment, self.sample_rate)
        mixture = stems.sum(dim=0)
        if not labelled:
            unknown = mixture.new_zeros(self.sources, *mixture.shape)
            return mixture, unknown, [math.inf] * self.sources, False
        return mixture, stems, cutoffs, True

    def _draw(self, random: np.random.Generator) -> tuple[float, float, float]:
        """Speed, pitch in semitones, and place (0 to 1) of a crop."""
        return draw_speed(random, self.augment), draw_pitch(random, self.augment), random.random()

    def _song(self, random: np.random.Generator, weights: NDArray[np.float64]) -> Song:
        return self.bank.songs[random.choice(len(weights), p=weights)]

    def _single(self, source: int, random: np.random.Generator) -> _Recording:
        """One stem from anywhere."""
        extra = self.bank.extra.get(source, ())
        if extra and random.random() < self.dset.extra_share:
            index = random.integers(len(extra))
            return extra[index], self.bank.extra_bandwidths[source][index]
        song = self._song(random, self.stem_weights[source])
        return song.stems[source], song.bandwidths[source]

    def _crop(self, stem: Tensor | None, speed: float, place: float, total: int) -> Tensor:
        """`length` samples `(2, T)`, played at `speed`, from `place` (0 to 1) of the `total` that can be cut."""
        if stem is None:
            return torch.zeros(2, self.length, device=self.bank.device)
        wanted = max(1, round(self.length * speed / HOP)) * HOP  # lengths whose Fourier transform is quick
        start = int(place * max(0, total - wanted + 1))
        piece = stem[:, start : start + wanted].float() / FULL_SCALE
        piece = torch.nn.functional.pad(piece, (0, wanted - piece.shape[-1]))
        return resampled(piece, self.length).expand(2, -1)
