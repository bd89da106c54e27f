"""The sections of `conf/n_train.yaml` as frozen dataclasses; the file's comments say what each key means."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from htdemucs_n.errors import UserError
from htdemucs_n.models.config import HTDemucsNConfig


@dataclass(frozen=True)
class SolverConfig:
    """The optimisation."""

    lr: float
    beta2: float
    weight_decay: float
    epochs: int
    epoch_steps: int
    warmup_steps: int
    decay: float
    clip: float
    ema: float
    precision: str
    spectral_weight: float
    checkpoint_minutes: float

    def __post_init__(self) -> None:
        if self.precision not in ("bf16", "fp32"):
            raise UserError(f"config key 'solver.precision' is '{self.precision}': use bf16 or fp32")
        if not 0 <= self.decay <= 1:
            raise UserError(f"config key 'solver.decay' is {self.decay}: use a share from 0 to 1")

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.epochs * self.epoch_steps


@dataclass(frozen=True)
class DatasetConfig:
    """Where the stems lie and how crops are cut. Lengths in seconds."""

    train: tuple[str, ...]
    valid: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]]
    extra_share: float
    batch_size: int
    num_workers: int
    segment: float


@dataclass(frozen=True)
class AugmentConfig:
    """Probabilities and ranges of the augmentation."""

    remix: float
    speed: float
    speed_range: tuple[float, float]
    gain_db: tuple[float, float]
    swap: float
    sign: float
    silence: float


@dataclass(frozen=True)
class MiscConfig:
    """Seed, device and folder of the run."""

    show: bool
    seed: int
    device: str
    out: str


@dataclass(frozen=True)
class TrainConfig:
    """All of a run."""

    htdemucs_n: HTDemucsNConfig
    solver: SolverConfig
    dset: DatasetConfig
    augment: AugmentConfig
    misc: MiscConfig
    model: str = "htdemucs_n"
    continue_from: str | None = field(default=None)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Build from the composed YAML; raises `UserError` for an unknown or missing key."""
        sections: dict[str, type[Any]] = {
            "solver": SolverConfig,
            "dset": DatasetConfig,
            "augment": AugmentConfig,
            "misc": MiscConfig,
        }
        if values.get("model", "htdemucs_n") != "htdemucs_n":
            raise UserError(f"config key 'model' is '{values['model']}': the model here is htdemucs_n")
        built = {name: _section(name, section, values[name]) for name, section in sections.items()}
        return cls(
            htdemucs_n=HTDemucsNConfig.from_dict(values["htdemucs_n"]),
            continue_from=values.get("continue_from"),
            **built,
        )


Section = TypeVar("Section")


def _section(name: str, section: type[Section], values: Mapping[str, Any]) -> Section:
    known = [f.name for f in dataclasses.fields(section)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f": did you mean '{name}.{near[0]}'?" if near else f": known are {', '.join(known)}"
            raise UserError(f"unknown config key '{name}.{key}'{hint}")
    return section(**values)
