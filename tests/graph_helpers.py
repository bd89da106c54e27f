"""Tiny networks and their ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from htdemucs_n.export.graph import network_graph
from htdemucs_n.export.onnx_file import export_onnx
from htdemucs_n.models.band_transformer import BandTransformer, BandTransformerConfig
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from models_helpers import randomise_batch_norm, tiny_model

Array = NDArray[np.float32]

TINY_BANDS: dict[str, Any] = {
    "band_zones": ((16, 8), (8, 240)),
    "band_channels": 16,
    "blocks": 1,
    "heads": 2,
    "dim_head": 8,
    "band_mixer_width": 12,
    "head_channels": 16,
    "segment": 0.5,
}


def tiny_bands(seed: int = 0, **keys: Any) -> BandTransformer:
    """A tiny network of the spectrum alone, with the random weights of `seed`."""
    torch.manual_seed(seed)
    return BandTransformer(BandTransformerConfig(**(TINY_BANDS | keys))).eval()


def tiny_hybrid(**keys: Any) -> HTDemucs_n:
    """A tiny hybrid network whose batch norms have statistics of their own."""
    model = tiny_model(**keys)
    randomise_batch_norm(model)
    return model.eval()


def exported(network: Any, path: Path) -> Path:
    """The ONNX file of a network of ours, with weights in float32."""
    export_onnx(path, network_graph(network, {}), dtype=torch.float32)
    return path


def stems_of(network: nn.Module, mixture: Array) -> Array:
    """What PyTorch gives for `(B, 2, T)`."""
    with torch.inference_mode():
        stems: Array = network(torch.from_numpy(mixture)).numpy()
    return stems


def noise(*shape: int, seed: int = 0) -> Array:
    """White noise of RMS 0.1."""
    return 0.1 * np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
