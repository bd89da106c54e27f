"""Models on disk: one safetensors file that holds the weights, the config and where they come from.

Weights may be stored in half precision or in 8 bits; the tensor types of the file show it, and they are converted to
float32 on load. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from htdemucs_n.errors import ModelError, UserError
from htdemucs_n.files import as_url, is_file, whole_file
from htdemucs_n.models.architectures import Network, architecture_metadata, network_from_metadata
from htdemucs_n.models.eight_bits import from_eight_bits, to_eight_bits

_FORMAT = "htdemucs_n"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors and JSON metadata to `path`, or leave what was there before.

    Raises `UserError` when it can't be written.
    """
    header = {"format": _FORMAT, **{key: json.dumps(value) for key, value in metadata.items()}}
    with whole_file(path) as part:
        try:
            save_file({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, part, header)
        except SafetensorError as error:  # raised for a full disk
            raise OSError(str(error)) from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote, tensors of 8 bits as float32.

    Raises `UserError` for a missing, damaged or foreign file.
    """
    with _opened(path) as file:
        metadata = _metadata(file.metadata() or {}, path)
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    try:
        return from_eight_bits(tensors), metadata
    except KeyError as error:
        raise ModelError(f"{path} lacks the tensor {error}: fetch or train it again") from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not is_file(path):
        raise ModelError(f"no checkpoint at {as_url(path) or path}: give the path of a .safetensors file")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path} is not a readable safetensors checkpoint ({error}): fetch or train it again"
        ) from error


def _metadata(header: dict[str, str], path: Path) -> dict[str, Any]:
    if header.pop("format", None) != _FORMAT:
        raise ModelError(f"{path} is not a {_FORMAT} checkpoint: use a file that `htdemucs-n train` wrote")
    try:
        return {key: json.loads(value) for key, value in header.items()}
    except ValueError as error:
        raise ModelError(f"{path} has a damaged header ({error}): fetch or train it again") from error


def load_metadata(path: Path) -> dict[str, Any]:
    """The metadata of what `save_tensors` wrote, without its tensors. Raises `UserError` as `load_tensors`."""
    with _opened(path) as file:
        return _metadata(file.metadata() or {}, path)


def save_model(path: Path, model: Network, metadata: Mapping[str, Any], dtype: torch.dtype = torch.float32) -> None:
    """Write the model's weights (as `dtype`: float32, float16 or int8), config and `metadata` to `path`."""
    weights = model.state_dict()
    if dtype == torch.int8:
        tensors = to_eight_bits(weights)
    else:
        tensors = {k: v.to(dtype) if v.is_floating_point() else v for k, v in weights.items()}
    save_tensors(path, tensors, {**metadata, **architecture_metadata(model.config)})


def load_saved_model(path: Path) -> tuple[Network, dict[str, Any]]:
    """The model of `path` in float32, evaluation mode, and the file's metadata; of a run, its averaged weights.

    Raises `UserError`.
    """
    tensors, metadata = load_tensors(path)
    tensors = averaged_weights(tensors)
    if not isinstance(metadata.get("config"), dict):
        raise ModelError(f"{path} contains no model config: use a file that `htdemucs-n train` wrote")
    try:
        model = network_from_metadata(metadata).float()  # whatever torch's default type is
    except UserError as error:
        raise ModelError(f"{path}: {error}; its model may need a newer htdemucs-n") from error
    load_weights(model, tensors, path)
    return model.eval(), metadata


def averaged_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of the tensors of a training run its averaged weights, of a model's all, by the names of the model."""
    return tensors_under("ema", tensors) or tensors


def tensors_under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose name begins with `prefix` and a dot, without it."""
    return {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Copy `tensors` into `model`. Raises `UserError` naming `path` where names or shapes differ."""
    try:
        model.load_state_dict(dict(tensors))
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        kind, *names = first.rstrip(".").split(", ")  # "Missing key(s) in state_dict: ...", a name after another
        reason = f"{kind} and {len(names)} more" if len(names) > 2 else first
        raise ModelError(f"{path} does not fit this model ({reason}): use the preset it was trained with") from error
