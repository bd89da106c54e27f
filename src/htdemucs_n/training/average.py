"""Mean of the weights of several checkpoints (Wortsman et al., 2022): better than each, where they have one start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from htdemucs_n.errors import ModelError
from htdemucs_n.models.architectures import Network, network_from_metadata
from htdemucs_n.models.storage import averaged_weights, load_tensors, load_weights


def mean_model(paths: Sequence[Path]) -> Network:
    """The model whose weights are the mean of those of `paths`, in evaluation mode; of runs, of their averaged weights.

    The mean of batch-norm statistics is not that of the mean model: `calibrate` computes them again.

    Raises:
        ModelError: a file that can't be read, or is of another model than the first.
    """
    mean: dict[str, Tensor] = {}
    header: dict[str, Any] = {}
    for number, path in enumerate(paths, 1):
        tensors, metadata = load_tensors(path)
        if not header:
            header = metadata
            if not isinstance(metadata.get("config"), dict):
                raise ModelError(f"{path} contains no model config: use a file that `htdemucs-n train` wrote")
        elif metadata.get("config") != header["config"]:
            raise ModelError(f"{path} is of another model than {paths[0]}: only weights of one model have a mean")
        for name, tensor in averaged_weights(tensors).items():
            if not tensor.is_floating_point():
                mean[name] = tensor
            elif name in mean:
                mean[name] += (tensor.double() - mean[name]) / number
            else:
                mean[name] = tensor.double()
    if not header:
        raise ModelError("there is no checkpoint to take the mean of: name two or more")
    model = network_from_metadata(header)
    load_weights(model, {k: v.float() if v.is_floating_point() else v for k, v in mean.items()}, paths[0])
    return model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
