"""Models as networks of PyTorch: those that ship inside the package, a checkpoint file of yours, the official ones."""

from __future__ import annotations

from pathlib import Path

import torch

from htdemucs_n.models.architectures import Network
from htdemucs_n.models.ensemble import Ensemble
from htdemucs_n.models.folding import prepare_for_inference
from htdemucs_n.models.names import DEFAULT_MODEL, OFFICIAL_MODELS, available_models, model_files
from htdemucs_n.models.official import OfficialModel, is_official_file, load_official, load_official_file
from htdemucs_n.models.storage import load_saved_model

Model = Network | Ensemble | OfficialModel
"""What `load_model` gives."""


def load_model(name_or_path: str | Path = DEFAULT_MODEL, trusted: bool = False) -> Model:
    """A model ready to separate: float32 on the CPU, evaluation mode, batch norm folded, channels last in memory.

    A name of `available_models()` or `OFFICIAL_MODELS`, or a checkpoint file, ours or an official one. `trusted` allows
    a pickled file (`.th`), which could run any code.

    Raises:
        UserError: an unknown name or a bad checkpoint; an official model without the package `demucs`.
    """
    if str(name_or_path) in OFFICIAL_MODELS and str(name_or_path) not in available_models():
        return load_official(str(name_or_path))
    files = model_files(name_or_path)
    if is_official_file(files[0]):
        return load_official_file(files[0], trusted)
    with torch.device("cpu"):  # whatever torch's default device is
        models = [prepare_for_inference(load_saved_model(file)[0], in_place=True) for file in files]
    return Ensemble(models).eval() if len(models) > 1 else models[0]
