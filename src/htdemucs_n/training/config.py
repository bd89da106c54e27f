"""The configuration of a run as frozen dataclasses, which `conf/n_train.yaml` documents key by key.

Every key has its default here, so that a configuration can be made in Python from the keys that differ:

    TrainConfig(dset=DatasetConfig(train=("songs",), valid=("held out",)), misc=MiscConfig(out="runs/first"))
"""

from __future__ import annotations

import dataclasses
import json
import logging
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from htdemucs_n.errors import ConfigError
from htdemucs_n.models.architectures import ARCHITECTURES, NetworkConfig, architecture_of, network_config
from htdemucs_n.models.config import HTDemucsNConfig
from htdemucs_n.models.kinds import check_choice, check_kind, check_names
from htdemucs_n.tables import counted
from htdemucs_n.training.augment import MIXTURE_EFFECTS, STEM_EFFECTS, Effect, Pitch, Speed
from htdemucs_n.training.distances import LOSSES
from htdemucs_n.training.limits import Limits, Share, check_limits, is_number

log = logging.getLogger(__name__)

SPLEETER = "spleeter-2stems"
"""The teacher that is no model: Spleeter's network for the vocals, the only one with `distill.teacher_weights`."""

_CHOICES = {
    "precision": ("bf16", "fp16", "fp32"),
    "optimizer": ("muon", "adamw"),
    "loss": tuple(LOSSES),
}


@dataclass(frozen=True)
class SolverConfig:
    """The optimisation."""

    optimizer: str = "muon"
    lr: float = 3e-4
    beta2: float = 0.999
    weight_decay: float = 0.01
    epochs: int = 180
    epoch_steps: Annotated[int, Limits(1)] = 500
    accumulate: Annotated[int, Limits(1)] = 1
    warmup_steps: int = 500
    decay: Share = 1.0
    clip: float = 5.0
    ema: float = 0.999
    calibration_batches: int = 16
    patience: int = 0
    precision: str = "bf16"
    compile: bool = False
    ddp: bool = False
    loss: str = "l2"
    checkpoint_minutes: float = 3.0

    def __post_init__(self) -> None:
        for key, allowed in _CHOICES.items():
            check_choice(f"solver.{key}", getattr(self, key), allowed)
        check_limits("solver", self)
        if self.warmup_steps > self.steps:
            steps = counted(self.steps, "step")
            log.warning("solver.warmup_steps is %d, but the run ends after %s", self.warmup_steps, steps)

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.epochs * self.epoch_steps


@dataclass(frozen=True)
class DatasetConfig:
    """Where the stems lie and how crops are cut. Lengths in seconds."""

    train: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    valid: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extra_share: Share = 0.25
    partial: tuple[str, ...] = ()
    partial_share: Share = 0.25
    aliases: Mapping[str, str | None] | None = None
    cache: str | None = None
    batch_size: Annotated[int, Limits(1)] = 4
    num_workers: int = 8
    segment: float = 7.8

    def __post_init__(self) -> None:
        check_limits("dset", self)
        if not all(is_number(weight) and weight > 0 for weight in self.weights):
            raise ConfigError(f"config key 'dset.weights' is {[*self.weights]}: use numbers above 0, one a folder")
        if self.weights and len(self.weights) != len(self.train):
            count = len(self.weights)
            raise ConfigError(f"config key 'dset.weights' has {count} numbers for {len(self.train)} folders")
        for source, places in self.extra.items():
            if isinstance(places, str):
                raise ConfigError(f"config key 'dset.extra.{source}' is '{places}': give a list, [{places}]")
        listed = {source: tuple(places) for source, places in self.extra.items() if places}
        object.__setattr__(self, "extra", listed)


@dataclass(frozen=True)
class AugmentConfig:
    """How often and how much crops are changed. Raises `ConfigError` for a value outside its limits."""

    remix: Share = 0.75
    doubling: Share = 0.0
    speed: Speed = field(default_factory=Speed)
    pitch: Pitch = field(default_factory=Pitch)
    stem_effects: Mapping[str, Effect] = field(default_factory=lambda: {k: e() for k, e in STEM_EFFECTS.items()})
    mixture_effects: Mapping[str, Effect] = field(default_factory=lambda: {k: e() for k, e in MIXTURE_EFFECTS.items()})

    def __post_init__(self) -> None:
        check_limits("augment", self)
        effects: dict[str, Any] = {
            "speed": self.speed,
            "pitch": self.pitch,
            **self.stem_effects,
            **self.mixture_effects,
        }
        for name, effect in effects.items():
            check_limits(f"augment.{name}", effect)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AugmentConfig:
        """Build from the section `augment`, in which every effect is a section of its own."""
        known = ("remix", "doubling", "speed", "pitch", *STEM_EFFECTS, *MIXTURE_EFFECTS)
        check_names(values, known, "augment")

        def effects(table: Mapping[str, type[Any]]) -> dict[str, Any]:
            return {name: _section(f"augment.{name}", kind, values.get(name, {})) for name, kind in table.items()}

        numbers = {key: values[key] for key in ("remix", "doubling") if key in values}
        for key, value in numbers.items():
            check_kind(f"augment.{key}", value, float)
        tempo = effects({"speed": Speed, "pitch": Pitch})
        return cls(**numbers, **tempo, stem_effects=effects(STEM_EFFECTS), mixture_effects=effects(MIXTURE_EFFECTS))

    @classmethod
    def off(cls) -> AugmentConfig:
        """Nothing is changed: coherent songs as they are."""

        def never(table: Mapping[str, type[Any]]) -> dict[str, Any]:
            return {name: kind(probability=0.0) for name, kind in table.items()}

        return cls(0.0, 0.0, Speed(0.0), Pitch(0.0), never(STEM_EFFECTS), never(MIXTURE_EFFECTS))


@dataclass(frozen=True)
class DistillConfig:
    """A teacher, and the songs without stems that it separates."""

    teacher: str | None = None
    teacher_weights: str | None = None
    weight: Annotated[float, Limits(0)] = 1.0
    mixtures: tuple[str, ...] = ()
    share: Share = 0.25

    def __post_init__(self) -> None:
        check_limits("distill", self)
        if self.mixtures and self.teacher is None:
            raise ConfigError("config key 'distill.mixtures' needs a teacher that separates them: give distill.teacher")
        if self.teacher is not None and not self.mixtures:
            raise ConfigError("config key 'distill.teacher' needs songs to separate: give distill.mixtures=[path]")
        if self.teacher_weights is not None and self.teacher != SPLEETER:
            raise ConfigError(
                f"config key 'distill.teacher_weights' is only for distill.teacher={SPLEETER}: leave it out, "
                "or give the path of your own checkpoint as distill.teacher"
            )


@dataclass(frozen=True)
class MiscConfig:
    """Seed, device and folder of the run."""

    show: bool = False
    preflight: bool = True
    seed: int = 0
    device: str = "auto"
    out: str = "runs/n_train"


@dataclass(frozen=True)
class TrainConfig:
    """All of a run."""

    network: NetworkConfig = field(default_factory=HTDemucsNConfig)
    solver: SolverConfig = field(default_factory=SolverConfig)
    dset: DatasetConfig = field(default_factory=DatasetConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    misc: MiscConfig = field(default_factory=MiscConfig)
    continue_from: str | None = None

    def __post_init__(self) -> None:
        total = self.distill.share + self.dset.partial_share
        # Without mixtures, distill.share has no effect; with them, their passages without vocals are partial songs.
        if self.distill.mixtures and total > 1:
            raise ConfigError(
                f"config keys 'distill.share' and 'dset.partial_share' are {total:g} together: use 1 or less"
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Build from the composed YAML, in which `model` names the section of the network.

        Raises `ConfigError` for a key that is unknown or has the wrong type.
        """
        model = values.get("model", "htdemucs_n")
        known = ["model", *ARCHITECTURES, *(item.name for item in dataclasses.fields(cls) if item.name != "network")]
        check_names(values, known)
        return cls(
            network=network_config(model, values.get(model, {})),
            solver=_section("solver", SolverConfig, values.get("solver", {})),
            dset=_section("dset", DatasetConfig, values.get("dset", {})),
            augment=AugmentConfig.from_dict(values.get("augment", {})),
            distill=_section("distill", DistillConfig, values.get("distill", {})),
            misc=_section("misc", MiscConfig, values.get("misc", {})),
            continue_from=values.get("continue_from"),
        )

    def to_dict(self) -> dict[str, Any]:
        """As the YAML has it: plain types, the network under its own name."""
        augment = dataclasses.asdict(self.augment)
        effects = {**augment.pop("stem_effects"), **augment.pop("mixture_effects")}
        model = architecture_of(self.network)
        sections = {name: dataclasses.asdict(getattr(self, name)) for name in ("solver", "dset", "distill", "misc")}
        values = {"model": model, model: self.network.to_dict(), **sections, "augment": augment | effects}
        plain: dict[str, Any] = json.loads(json.dumps({**values, "continue_from": self.continue_from}))
        return plain


Section = TypeVar("Section")


def _section(name: str, section: type[Section], values: Mapping[str, Any]) -> Section:
    """The dataclass `section` from `values`. Raises `ConfigError` that names the key and the nearest right one."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"config key '{name}' is '{values}': give its keys, such as {name}.{_first_key(section)}")
    types = typing.get_type_hints(section)
    check_names(values, types, name)
    for key, value in values.items():
        check_kind(f"{name}.{key}", value, types[key])
    # YAML brings lists.
    return section(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def _first_key(section: type[Any]) -> str:
    return dataclasses.fields(section)[0].name
