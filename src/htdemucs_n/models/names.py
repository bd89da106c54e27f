"""Models by name: those that ship inside the package, and the official ones. Without PyTorch.

A shipped model is a file of weights with the ONNX graph that reads them beside it, or an ensemble: a JSON file that
names `members`.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from htdemucs_n.errors import ModelError, suggestion
from htdemucs_n.files import file_identity

DEFAULT_MODEL = "bands"
"""What `separate` uses when no model is named."""

OFFICIAL_MODELS = {
    "htdemucs": "Hybrid Transformer Demucs (Rouard et al., 2023)",
    "htdemucs_ft": "the same, fine-tuned: one model for each stem, 4 times the time",
    "htdemucs_6s": "the same with guitar and piano",
}
"""Names that are loaded through `demucs`, and what they are."""

LICENCE_OF_WEIGHTS = "research use: see the model card"
"""Of the shipped models."""

_WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class ShippedModel:
    """What is known of a shipped model without loading it; `sdr` is the mean over stems, dB."""

    name: str
    parameters: int
    mib: float
    sources: tuple[str, ...]
    sdr: float | None
    weights_licence: str
    code_licence: str = "MIT"


def available_models() -> list[str]:
    """Names of the shipped models, sorted."""
    return sorted(file.stem for file in _WEIGHTS.iterdir() if file.suffix in (".safetensors", ".json"))


def describe_model(name: str) -> ShippedModel:
    """A shipped model's size, score and licence, from the headers of its files."""
    from safetensors import safe_open  # not needed to separate

    files = model_files(name)
    parameters = 0
    for path in files:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}  # the last one's stays: members of an ensemble have the same sources
            for key in file.keys():  # noqa: SIM118 - not a mapping
                size = 1
                for length in file.get_slice(key).get_shape():
                    size *= length
                parameters += size if "running_" not in key and "num_batches" not in key else 0
    facts = {key: json.loads(value) for key, value in header.items() if key != "format"} | _ensemble(name)
    return ShippedModel(
        name,
        parameters,
        sum(path.stat().st_size for path in files) / 2**20,
        tuple(facts["config"]["sources"]),
        _mean_score(facts.get("sdr_db", facts.get("sdr")), facts["config"]["sources"]),
        str(facts.get("licence", LICENCE_OF_WEIGHTS)),
    )


def model_card(name: str) -> str:
    """The card of a shipped model, in Markdown: scores, limits, training, and data with licences.

    Raises:
        UserError: no shipped model has this name.
    """
    if name not in available_models():
        raise ModelError(f"no model '{name}' is in the package: {suggestion(name, available_models())}")
    cards = (path.read_text(encoding="utf-8") for path in _WEIGHTS.glob("*.md"))
    return next(card for card in cards if f"`{name}`" in card.partition("\n")[0])


def is_scored_as_default(model: ShippedModel) -> bool:
    """Whether a model has the stems of the default one: scores of others are of other recordings and not comparable."""
    return set(model.sources) == set(describe_model(DEFAULT_MODEL).sources)


def model_files(name_or_path: str | Path) -> list[Path]:
    """Where the weights of a shipped model, or of a checkpoint file, lie. Raises `UserError` if nowhere."""
    name = str(name_or_path)
    if name in OFFICIAL_MODELS and name not in available_models():
        raise ModelError(f"'{name}' is an official model and has no file of weights here: give a checkpoint's path")
    if name in available_models():
        return [_WEIGHTS / f"{member}.safetensors" for member in _ensemble(name).get("members", [name])]
    path = Path(name_or_path)
    if path.suffix or file_identity(path):
        return [path]
    hint = suggestion(name, [*available_models(), *OFFICIAL_MODELS])
    raise ModelError(f"unknown model '{name}': {hint} (or give the path of a .safetensors file)")


def graph_paths(name_or_path: str | Path) -> list[Path]:
    """Where the ONNX graphs of a shipped model lie, or the path of a file. Raises `UserError` as `model_files`."""
    files = model_files(name_or_path)
    return [file.with_suffix(".onnx") for file in files] if str(name_or_path) in available_models() else files


def weights_path(name_or_path: str | Path) -> Path:
    """The one file of `model_files`. Raises `UserError` if there is none, or there are several, as of an ensemble."""
    files = model_files(name_or_path)
    if len(files) > 1:
        members = " and ".join(file.stem for file in files)
        raise ModelError(f"{name_or_path} is the mean of {members}: name one of these")
    return files[0]


def _mean_score(sdr: Any, sources: Sequence[str]) -> float | None:
    """The mean over stems, from the score of each where the header has them: a stored mean is rounded already."""
    if isinstance(sdr, dict):
        stems = [sdr[source] for source in sources if source in sdr]
        sdr = statistics.fmean(stems) if len(stems) == len(sources) else sdr.get("mean")
    return sdr if isinstance(sdr, float) else None


def _ensemble(name: str) -> dict[str, Any]:
    """The file of a shipped ensemble; empty for other models."""
    file = _WEIGHTS / f"{name}.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}
