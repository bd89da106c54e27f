"""Songs without stems, as a teacher separates them (Hinton et al., 2015).

A teacher is any model that the registry loads, or Spleeter's two-stem network for the vocals alone. It separates every
song of `distill.mixtures` once, before the first step. Its stems are then cut, remixed and augmented as
others are. Because they contain errors, the loss leaves the worst part of every crop out.

Passages in which a teacher finds no voice are worth more: there the vocals are known exactly, and remixes add a real
voice.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from htdemucs_n.audio.integers import FULL_SCALE
from htdemucs_n.datasets.cache import DecodedCache
from htdemucs_n.datasets.decode import decode, quantise
from htdemucs_n.datasets.songs import StemFile, audio_files
from htdemucs_n.errors import ConfigError, ModelError, UserError, suggestion
from htdemucs_n.files import file_identity
from htdemucs_n.models.names import OFFICIAL_MODELS, available_models, model_files
from htdemucs_n.separation.separator import Separator
from htdemucs_n.training.bank import Song
from htdemucs_n.training.config import SPLEETER, TrainConfig
from htdemucs_n.training.spleeter import BANDWIDTH, SpleeterTeacher

log = logging.getLogger(__name__)

_BLOCK = 0.5
"""Seconds over which the level of the vocals is measured."""

_SILENT_DB = -40.0
"""Vocals below this level, relative to the song, count as none."""

_SHORTEST_PASSAGE = 4.0
"""Seconds that a passage without vocals must last to be used."""


class Teacher:
    """The songs of a teacher: `estimate` gives the stems of a mixture, in the groups of `groups`.

    Raises `UserError` for a teacher that cannot be loaded or lacks a stem.
    """

    groups: tuple[tuple[int, ...], ...]
    bandwidth: float = math.inf

    def __init__(
        self, name: str, weights: str | None, sources: Sequence[str], sample_rate: int, device: str = "cpu"
    ) -> None:
        self.files: list[Path]
        """The weights, which are part of the key of stems in a cache; none of an official model."""
        self.estimate: Callable[[Tensor], Tensor]
        """A mixture `(C, T)` to `(G, C, T)`, one for each of `groups`."""
        if name == SPLEETER:
            self._load_spleeter(weights, sources, sample_rate)
        else:
            self._load_model(name, sources, sample_rate, device)

    def _load_spleeter(self, weights: str | None, sources: Sequence[str], sample_rate: int) -> None:
        if weights is None:
            raise UserError(
                f"distill.teacher={SPLEETER} needs distill.teacher_weights: see scripts/convert_spleeter.py"
            )
        if "vocals" not in sources or sample_rate != 44100:
            raise UserError(f"distill.teacher={SPLEETER} separates vocals at 44100 Hz: this model does not have them")
        network = SpleeterTeacher.load(Path(weights))
        voice = list(sources).index("vocals")
        self.files = [Path(weights)]
        self.bandwidth = BANDWIDTH
        self.groups = ((voice,), tuple(index for index in range(len(sources)) if index != voice))

        def estimate(mixture: Tensor) -> Tensor:
            vocals = network(mixture)
            return torch.stack([vocals, mixture - vocals])

        self.estimate = estimate

    def _load_model(self, name: str, sources: Sequence[str], sample_rate: int, device: str) -> None:
        names = [SPLEETER, *available_models(), *OFFICIAL_MODELS]
        if name not in names and not Path(name).suffix and not file_identity(Path(name)):
            raise ConfigError(
                f"config key 'distill.teacher' is '{name}': {suggestion(name, names)} (or give a checkpoint)"
            )
        separator = Separator(name, device=device)
        known, rate = list(separator.sources), separator.engine.samplerate
        missing = [source for source in sources if source not in known]
        if missing or rate != sample_rate:
            raise UserError(
                f"distill.teacher={name} separates {', '.join(known)} at {rate} Hz: it cannot teach "
                f"{', '.join(sources)} at {sample_rate} Hz"
            )
        order = [known.index(source) for source in sources]
        self.files = [] if name in OFFICIAL_MODELS else model_files(name)
        self.groups = tuple((index,) for index in range(len(sources)))

        def estimate(mixture: Tensor) -> Tensor:
            stems = separator.separate(mixture, sample_rate)
            return torch.stack([stems[known[index]] for index in order])

        self.estimate = estimate


def load_estimated(config: TrainConfig) -> tuple[tuple[Song, ...], tuple[Song, ...]]:
    """The songs of `distill.mixtures` as the teacher separates them, and their passages without vocals.

    Raises:
        UserError: the teacher cannot be loaded or puts out NaN, or a folder contains no audio files that can be read.
    """
    if config.distill.teacher is None or not config.distill.mixtures:
        return (), ()
    network, device = config.network, config.misc.device
    distill, rate = config.distill, network.samplerate
    teacher = Teacher(config.distill.teacher, distill.teacher_weights, network.sources, rate, device)
    # The weights of official models lie where their package keeps them, so a cache key would not distinguish them.
    cache = DecodedCache(config.dset.cache) if config.dset.cache is not None and teacher.files else None
    estimated: list[Song] = []
    instrumental: list[Song] = []
    for file in _audio_files(config.distill.mixtures):
        try:
            samples = _separated(file, teacher, network.samplerate, cache)
        except ModelError as error:  # what damages one song damages the others
            raise ModelError(f"distill.teacher={config.distill.teacher} cannot separate '{file}': {error}") from error
        except UserError as error:
            log.warning("skipped: %s", error)
            continue
        stems = tuple(torch.from_numpy(stem).to(device) for stem in samples)
        bandwidths = (teacher.bandwidth,) * len(stems)
        estimated.append(Song(file.stem, stems, bandwidths, groups=teacher.groups, estimated=True))
        if "vocals" in network.sources:
            instrumental += _passages(estimated[-1], network.sources.index("vocals"), network.samplerate)
        log.info("%s separated by %s", file.name, config.distill.teacher)
    if not estimated:
        raise UserError(f"no audio file in {', '.join(distill.mixtures)} (distill.mixtures) can be read: give others")
    log.info(
        "%.1f minutes of these songs have no vocals", sum(s.length for s in instrumental) / network.samplerate / 60
    )
    return tuple(estimated), tuple(instrumental)


def _audio_files(folders: Sequence[str]) -> list[Path]:
    files = audio_files(folders)
    if not files:
        raise UserError(f"no audio files in {', '.join(folders)} (distill.mixtures)")
    return files


def _separated(file: Path, teacher: Teacher, sample_rate: int, cache: DecodedCache | None) -> NDArray[np.int16]:
    """The teacher's stems of a file, int16 `(G, C, T)`, from the cache where they are.

    Raises `ModelError` for stems that are not finite, which would become silence, and the songs instrumental.
    """
    entry = cache and cache.path([StemFile(path) for path in (file, *teacher.files)], sample_rate, 2)
    if cache and entry and (stored := cache.load(entry)) is not None:
        return stored[0].reshape(len(teacher.groups), 2, -1)
    mixture = torch.from_numpy(decode(StemFile(file), sample_rate, channels=2))
    estimate = teacher.estimate(mixture)
    if not estimate.isfinite().all():
        raise ModelError("its stems have NaN or infinite samples: its weights are damaged, use another")
    stems = quantise(estimate.numpy()).samples  # the song as a whole is scaled down where it must be
    if cache and entry:
        cache.store(entry, stems.reshape(-1, stems.shape[-1]))
    return stems


def _passages(song: Song, voice: int, sample_rate: int) -> Iterator[Song]:
    """The passages of a separated song in which there are no vocals, their accompaniment being the mixture."""
    vocals = next(stem for stem, group in zip(song.stems, song.groups, strict=True) if group == (voice,))
    assert vocals is not None  # a teacher gives every stem
    mixture = torch.stack([stem for stem in song.stems if stem is not None]).int().sum(dim=0)
    block = round(_BLOCK * sample_rate)
    level = _levels(vocals, block) / mixture.double().square().mean().sqrt().clamp_min(1e-9)
    silent = [False, *(level < 10 ** (_SILENT_DB / 20)).tolist(), False]
    edges = [index for index in range(1, len(silent)) if silent[index] != silent[index - 1]]
    others = tuple(sorted(source for group in song.groups for source in group if source != voice))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        if (last - first) * _BLOCK >= _SHORTEST_PASSAGE:
            samples = mixture[:, (first - 1) * block : (last - 1) * block] / FULL_SCALE
            passage = torch.from_numpy(quantise(samples.cpu().numpy()).samples).to(mixture.device)
            yield Song(f"{song.name} {first}", (None, passage), groups=((voice,), others))


def _levels(audio: Tensor, block: int) -> Tensor:
    """The RMS of every whole block of `(C, T)`."""
    whole = audio[:, : audio.shape[-1] // block * block].double()
    return whole.unflatten(-1, (-1, block)).square().mean(dim=(0, 2)).sqrt()
