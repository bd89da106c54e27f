"""The official Demucs models, run through PyPI's `demucs` (extra `official`) by our own chunking and files.

By name they are fetched by `demucs` itself; a local file works offline. A pickled one (`.th`) can run any code when it
is opened, so it is opened only where the caller trusts it (`trusted`); a safetensors one never runs any.
"""

from __future__ import annotations

import contextlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from htdemucs_n.errors import ModelError, missing_package
from htdemucs_n.files import as_url, is_file
from htdemucs_n.models.ensemble import Ensemble

_CLASSES = ("HTDemucs", "HDemucs", "Demucs")


class OfficialModel(nn.Module):
    """An official model as one that our `Separator` runs.

    Shape: `(B, 2, T)` -> `(B, S, 2, T)`, T up to `max_segment` seconds.
    """

    def __init__(self, member: Any) -> None:
        super().__init__()
        self.member: nn.Module = member
        self.sources: tuple[str, ...] = tuple(member.sources)
        self.samplerate: int = int(member.samplerate)
        self.segment = float(getattr(member, "segment", 10.0))
        self.max_segment = self.segment if type(member).__name__ == "HTDemucs" else float("inf")
        self.overlap = 0.25
        self.full_precision = True  # lower precisions were not measured

    def forward(self, mixture: Tensor) -> Tensor:
        """Separate `(B, 2, T)` into `(B, S, 2, T)`."""
        stems: Tensor = self.member(mixture)
        return stems


def load_official(name: str) -> OfficialModel | Ensemble:
    """A model of `OFFICIAL_MODELS`, fetched by `demucs` and kept where it keeps its downloads.

    Raises:
        UserError: `demucs` is not installed, or the model cannot be fetched.
    """
    require_demucs(name)
    from demucs.pretrained import get_model

    try:
        model = get_model(name)
    except (Exception, SystemExit) as error:  # of many kinds: hub, download, checksum
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"the official model {name} cannot be fetched ({reason}): check the network, or pass a local file with -n"
        ) from None
    return _wrapped(model)


def load_official_file(path: Path, trusted: bool) -> OfficialModel | Ensemble:
    """A model from a file of the official project, `.th` (pickled; only if `trusted`) or `.safetensors`.

    Raises:
        UserError: not trusted, `demucs` is not installed, or the file cannot be read.
    """
    if not is_file(path):
        raise ModelError(f"no checkpoint at {as_url(path) or path}: give the path of a .safetensors or .th file")
    if path.suffix == ".th" and not trusted:
        raise ModelError(f"{path} is pickled and could run any code: if you trust its source, add --trust-checkpoint")
    require_demucs(str(path))
    try:
        if path.suffix == ".th":
            from demucs.states import load_model

            return _wrapped(load_model(path))
        return _wrapped(_from_safetensors(path))
    except (Exception, SystemExit) as error:  # a foreign file can fail in any way
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} is not a checkpoint that demucs can read ({reason}): fetch it again") from None


def is_official_file(path: Path) -> bool:
    """Whether a file is of the official project: by its suffix, or a safetensors header that names its class."""
    if path.suffix == ".th":
        return True
    with contextlib.suppress(OSError, SafetensorError), safe_open(path, framework="pt") as file:
        return "klass" in (file.metadata() or {})
    return False


def _from_safetensors(path: Path) -> nn.Module:
    """As `demucs.hf` writes them: class and arguments as JSON. Only Demucs' own classes are built."""
    import importlib

    with safe_open(path, framework="pt") as file:
        header = file.metadata()
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    module, _, name = header["klass"].rpartition(".")
    if name not in _CLASSES or module != f"demucs.{name.lower()}":
        raise ValueError(f"unknown class {header['klass']}")
    if "structure" in header:
        raise ValueError("it is quantised")
    arguments, keywords = _plain(json.loads(header["args"])), _plain(json.loads(header["kwargs"]))
    model: nn.Module = getattr(importlib.import_module(module), name)(*arguments, **keywords)
    model.load_state_dict(state)
    return model


def _plain(value: Any) -> Any:
    """JSON back to arguments: fractions are written as {"_type": "fraction", ...}."""
    if isinstance(value, dict):
        if value.get("_type") == "fraction":
            return Fraction(value["numerator"], value["denominator"])
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _wrapped(model: Any) -> OfficialModel | Ensemble:
    """One model or a bag of them, in float32 (they are kept in float16) and evaluation mode."""
    if not hasattr(model, "models"):
        return OfficialModel(model).float().eval()
    return Ensemble([OfficialModel(member) for member in model.models], model.weights).float().eval()


def require_demucs(name: str) -> None:
    """Raise `UserError` unless the package `demucs` is installed; `name` is what needs it."""
    try:
        import demucs.htdemucs  # noqa: F401
    except ImportError as error:
        raise missing_package(name, str(error.name).partition(".")[0], "official") from None
