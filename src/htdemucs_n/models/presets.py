"""The named sizes of the model, read from the same files that configure training.

`conf/n_train.yaml` holds the default; each file of `conf/preset/` says in a few lines what differs.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from htdemucs_n.errors import UserError, suggestion
from htdemucs_n.models.config import HTDemucsNConfig


def preset_names() -> list[str]:
    """The names that `load_preset` knows, sorted."""
    return sorted(
        f.name.removesuffix(".yaml") for f in _conf().joinpath("preset").iterdir() if f.name.endswith(".yaml")
    )


def load_preset(name: str = "default") -> HTDemucsNConfig:
    """The config of a preset; raises `UserError` for an unknown name."""
    if name not in preset_names():
        raise UserError(f"unknown preset '{name}': {suggestion(name, preset_names())}")
    keys = _model_keys(_conf().joinpath("n_train.yaml")) | _model_keys(_conf().joinpath("preset", f"{name}.yaml"))
    return HTDemucsNConfig.from_dict(keys)


def _conf() -> Path:
    return Path(str(resources.files("htdemucs_n"))) / "conf"


def _model_keys(file: Path) -> dict[str, Any]:
    values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return dict(values.get("htdemucs_n") or {})
