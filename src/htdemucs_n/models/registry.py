"""Models by name: the weights that ship inside the package, a checkpoint file of yours, the official ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import safe_open

from htdemucs_n.errors import UserError, suggestion
from htdemucs_n.models.folding import prepare_for_inference
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from htdemucs_n.models.official import OFFICIAL_MODELS, is_official_file, load_official, load_official_file
from htdemucs_n.models.storage import load_saved_model

if TYPE_CHECKING:
    from htdemucs_n.models.official import OfficialModel

DEFAULT_MODEL = "small"
"""What `separate` uses when no model is named."""

_WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class ShippedModel:
    """What there is to know of a shipped model without loading it; `sdr` is the mean over stems, dB."""

    name: str
    parameters: int
    mib: float
    sources: tuple[str, ...]
    sdr: float | None
    licence: str


def available_models() -> list[str]:
    """Names of the shipped models, sorted."""
    return sorted(file.stem for file in _WEIGHTS.glob("*.safetensors"))


def describe_model(name: str) -> ShippedModel:
    """A shipped model's size, score and licence, from its file's header."""
    path = weights_path(name)
    with safe_open(path, framework="pt") as file:
        header = file.metadata() or {}
        parameters = 0
        for key in file.keys():  # noqa: SIM118 - not a mapping
            size = 1
            for length in file.get_slice(key).get_shape():
                size *= length
            parameters += size if "running_" not in key and "num_batches" not in key else 0
    facts = {key: json.loads(value) for key, value in header.items() if key != "format"}
    sdr = facts.get("sdr_db", facts.get("sdr"))
    score = sdr.get("mean") if isinstance(sdr, dict) else sdr
    return ShippedModel(
        name,
        parameters,
        path.stat().st_size / 2**20,
        tuple(facts["config"]["sources"]),
        score if isinstance(score, float) else None,
        str(facts.get("licence", "research use: see the model card")),
    )


def weights_path(name_or_path: str | Path) -> Path:
    """Where the weights of a shipped model, or of a checkpoint file, lie. Raises `UserError` if nowhere."""
    if str(name_or_path) in available_models():
        return _WEIGHTS / f"{name_or_path}.safetensors"
    path = Path(name_or_path)
    if path.suffix or path.exists():
        return path
    hint = suggestion(str(name_or_path), [*available_models(), *OFFICIAL_MODELS])
    raise UserError(f"unknown model '{name_or_path}': {hint} (or give the path of a .safetensors file)")


def load_model(name_or_path: str | Path = DEFAULT_MODEL, trusted: bool = False) -> HTDemucs_n | OfficialModel:
    """A model ready to separate: float32 on the CPU, evaluation mode, batch norm folded, channels last in memory.

    A name of `available_models()` or `OFFICIAL_MODELS`, or a checkpoint file, ours or an official one. `trusted` allows
    a pickled file (`.th`), which could run any code.

    Raises:
        UserError: an unknown name or a bad checkpoint; an official model without the package `demucs`.
    """
    if str(name_or_path) in OFFICIAL_MODELS and str(name_or_path) not in available_models():
        return load_official(str(name_or_path))
    path = weights_path(name_or_path)
    if is_official_file(path):
        return load_official_file(path, trusted)
    model, _ = load_saved_model(path)
    return prepare_for_inference(model, in_place=True)
