"""Models by name: the weights that ship inside the package, or a checkpoint file of yours."""

from __future__ import annotations

from pathlib import Path

from htdemucs_n.errors import UserError, suggestion
from htdemucs_n.models.folding import prepare_for_inference
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from htdemucs_n.models.storage import load_saved_model

DEFAULT_MODEL = "small"
"""What `separate` uses when no model is named."""

_WEIGHTS = Path(__file__).parent / "weights"


def available_models() -> list[str]:
    """Names of the shipped models, sorted."""
    return sorted(file.stem for file in _WEIGHTS.glob("*.safetensors"))


def weights_path(name_or_path: str | Path) -> Path:
    """Where the weights of a shipped model, or of a checkpoint file, lie. Raises `UserError` if nowhere."""
    if str(name_or_path) in available_models():
        return _WEIGHTS / f"{name_or_path}.safetensors"
    path = Path(name_or_path)
    if path.suffix or path.exists():
        return path
    hint = suggestion(str(name_or_path), available_models())
    raise UserError(f"unknown model '{name_or_path}': {hint} (or give the path of a .safetensors file)")


def load_model(name_or_path: str | Path = DEFAULT_MODEL) -> HTDemucs_n:
    """A model ready to separate: float32 on the CPU, evaluation mode, batch norm folded, channels last in memory.

    Raises `UserError` for an unknown name or a bad checkpoint.
    """
    model, _ = load_saved_model(weights_path(name_or_path))
    return prepare_for_inference(model)
