"""The sections of `conf/n_train.yaml` as frozen dataclasses; the file's comments say what each key means."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from htdemucs_n.errors import UserError, suggestion
from htdemucs_n.models.architectures import NetworkConfig, network_config
from htdemucs_n.models.kinds import check_kind


@dataclass(frozen=True)
class SolverConfig:
    """The optimisation."""

    optimizer: str
    lr: float
    beta2: float
    weight_decay: float
    epochs: int
    epoch_steps: int
    accumulate: int
    warmup_steps: int
    decay: float
    clip: float
    ema: float
    calibration_batches: int
    patience: int
    precision: str
    compile: bool
    ddp: bool
    loss: str
    spectral_weight: float
    checkpoint_minutes: float

    def __post_init__(self) -> None:
        if self.precision not in ("bf16", "fp16", "fp32"):
            raise UserError(f"config key 'solver.precision' is '{self.precision}': use bf16, fp16 or fp32")
        if self.optimizer not in ("muon", "adamw"):
            raise UserError(f"config key 'solver.optimizer' is '{self.optimizer}': use muon or adamw")
        if self.loss not in ("l1", "l2"):
            raise UserError(f"config key 'solver.loss' is '{self.loss}': use l1 or l2")
        if self.accumulate < 1:
            raise UserError(f"config key 'solver.accumulate' is {self.accumulate}: use 1 or more")
        if not 0 <= self.decay <= 1:
            raise UserError(f"config key 'solver.decay' is {self.decay}: use a share from 0 to 1")
        if self.epoch_steps < 1:
            raise UserError(f"config key 'solver.epoch_steps' is {self.epoch_steps}: use 1 or more")

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.epochs * self.epoch_steps


@dataclass(frozen=True)
class DatasetConfig:
    """Where the stems lie and how crops are cut. Lengths in seconds."""

    train: tuple[str, ...]
    weights: tuple[float, ...]
    valid: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]]
    extra_share: float
    aliases: Mapping[str, str | None] | None
    cache: str | None
    batch_size: int
    num_workers: int
    segment: float

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"config key 'dset.batch_size' is {self.batch_size}: use 1 or more")
        if self.weights and len(self.weights) != len(self.train):
            raise UserError(f"config key 'dset.weights' has {len(self.weights)} numbers for {len(self.train)} folders")
        for source, places in self.extra.items():
            if isinstance(places, str):
                raise UserError(f"config key 'dset.extra.{source}' is '{places}': give a list, [{places}]")


@dataclass(frozen=True)
class AugmentConfig:
    """Probabilities and ranges of the augmentation. Raises `UserError` for a probability outside 0 to 1."""

    remix: float
    speed: float
    speed_range: tuple[float, float]
    pitch: float
    pitch_semitones: tuple[float, float]
    gain_db: tuple[float, float]
    swap: float
    sign: float
    silence: float
    eq: float
    eq_db: float
    saturation: float
    saturation_drive: tuple[float, float]
    reverb: float
    compression: float
    band_limit: float
    band_limit_hz: tuple[float, float]

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if isinstance(value, int | float) and name != "eq_db" and not 0 <= value <= 1:
                raise UserError(f"config key 'augment.{name}' is {value}: use a probability from 0 to 1")

    def off(self) -> AugmentConfig:
        """The same with nothing switched on: coherent songs as they are."""
        names = (
            "remix",
            "speed",
            "pitch",
            "swap",
            "sign",
            "silence",
            "eq",
            "saturation",
            "reverb",
            "compression",
            "band_limit",
        )
        changes: dict[str, Any] = dict.fromkeys(names, 0.0)
        return dataclasses.replace(self, gain_db=(0.0, 0.0), **changes)


@dataclass(frozen=True)
class DistillConfig:
    """What a teacher has to say beside the true stems."""

    teacher: str | None
    weight: float
    mixtures: tuple[str, ...]
    share: float

    def __post_init__(self) -> None:
        if self.mixtures and self.teacher is None:
            raise UserError("config key 'distill.mixtures' needs a teacher for them: give distill.teacher")


@dataclass(frozen=True)
class MiscConfig:
    """Seed, device and folder of the run."""

    show: bool
    preflight: bool
    seed: int
    device: str
    out: str


@dataclass(frozen=True)
class TrainConfig:
    """All of a run."""

    network: NetworkConfig
    solver: SolverConfig
    dset: DatasetConfig
    augment: AugmentConfig
    distill: DistillConfig
    misc: MiscConfig
    continue_from: str | None = field(default=None)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Build from the composed YAML; raises `UserError` for an unknown, missing or misfit key."""
        sections: dict[str, type[Any]] = {
            "solver": SolverConfig,
            "dset": DatasetConfig,
            "augment": AugmentConfig,
            "distill": DistillConfig,
            "misc": MiscConfig,
        }
        built = {name: _section(name, section, values[name]) for name, section in sections.items()}
        return cls(
            network=network_config(values["model"], values[values["model"]]),
            continue_from=values.get("continue_from"),
            **built,
        )


Section = TypeVar("Section")


def _section(name: str, section: type[Section], values: Mapping[str, Any]) -> Section:
    _check_keys(section, values, f"{name}.")
    return section(**values)


def _check_keys(section: type[Any], values: Mapping[str, Any], prefix: str = "") -> None:
    """Check that `values` holds the fields of the dataclass `section`, none other, each of its kind.

    Raises `UserError` that names the key, which `prefix` precedes, and the nearest right one or what it takes.
    """
    types = typing.get_type_hints(section)
    for key, value in values.items():
        if key not in types:
            hint = suggestion(f"{prefix}{key}", [prefix + name for name in types])
            raise UserError(f"unknown config key '{prefix}{key}': {hint}")
        check_kind(f"{prefix}{key}", value, types[key])
    for item in dataclasses.fields(section):
        if item.name not in values and item.default is dataclasses.MISSING:
            raise UserError(f"config key '{prefix}{item.name}' is missing: see conf/n_train.yaml")
