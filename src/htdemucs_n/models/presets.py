"""The named sizes of the model, read from the same files that configure training.

`conf/n_train.yaml` holds the default; each file of `conf/preset/` holds the few lines that differ.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from htdemucs_n.errors import ConfigError, suggestion
from htdemucs_n.models.architectures import NetworkConfig, network_config


def preset_names() -> list[str]:
    """The names that `load_preset` knows, sorted."""
    return sorted(
        f.name.removesuffix(".yaml") for f in _conf().joinpath("preset").iterdir() if f.name.endswith(".yaml")
    )


def load_preset(name: str = "default") -> NetworkConfig:
    """The config of a preset; raises `UserError` for an unknown name."""
    if name not in preset_names():
        raise ConfigError(f"unknown preset '{name}': {suggestion(name, preset_names())}")
    layers = [_read(_conf() / "n_train.yaml"), *_layers(name)]
    model = [layer["model"] for layer in layers if "model" in layer][-1]
    return network_config(model, {key: value for layer in layers for key, value in layer.get(model, {}).items()})


def _layers(name: str) -> list[dict[str, Any]]:
    """The values of a preset, merged over those of the presets in its list `defaults`."""
    preset = _read(_conf() / "preset" / f"{name}.yaml")
    below = [layer for base in preset.get("defaults", []) if base != "_self_" for layer in _layers(base)]
    return [*below, preset]


def _conf() -> Path:
    return Path(str(resources.files("htdemucs_n"))) / "conf"


def _read(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
