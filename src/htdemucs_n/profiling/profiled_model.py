"""The model to profile: a shipped one or a checkpoint, a preset, or the official architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from htdemucs_n.errors import OptionError, suggestion
from htdemucs_n.models.architectures import build_network
from htdemucs_n.models.folding import prepare_for_inference
from htdemucs_n.models.official import OfficialModel, require_demucs
from htdemucs_n.models.presets import load_preset, preset_names
from htdemucs_n.models.registry import Model

OFFICIAL = "official"
"""Name of the architecture of PyPI's `demucs`."""

OFFICIAL_SEGMENT = 7.8
"""Seconds."""


@dataclass(frozen=True)
class ProfiledModel:
    """A model by name, so that it can be sent to another process.

    `name` is that of a model as `Separator` takes it; with `untrained`, of a preset or `official`, built with random
    weights: the cost does not depend on them. `trusted` is for `Separator`.
    """

    name: str
    untrained: bool = False
    trusted: bool = False

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"{self.name} (random weights)" if self.untrained else self.name

    def build(self) -> Model:
        """An untrained model, ready to separate, on the CPU. Raises `UserError` for an unknown name."""
        torch.manual_seed(0)
        if self.name == OFFICIAL:
            return OfficialModel(official_architecture()).eval()
        if self.name not in preset_names():
            known = [*preset_names(), OFFICIAL]
            raise OptionError(f"unknown preset '{self.name}': {suggestion(self.name, known)}")
        return prepare_for_inference(build_network(load_preset(self.name)), in_place=True)


def official_architecture() -> Any:
    """`demucs.htdemucs.HTDemucs` with random weights: 41,984,456 parameters.

    The hyperparameters are the class's defaults but for three: `bottom_channels=512`, `dconv_mode=3` (as in
    the package's `grids/mmi.py`) and a segment of 7.8 s.

    Raises:
        UserError: `demucs` is not installed.
    """
    require_demucs("the official architecture")
    from demucs.htdemucs import HTDemucs

    sources = ["drums", "bass", "other", "vocals"]
    return HTDemucs(sources, bottom_channels=512, dconv_mode=3, segment=OFFICIAL_SEGMENT)
