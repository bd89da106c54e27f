"""Tiny networks and their ONNX files, and a graph whose stems are known."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from audio_helpers import SOURCES, SplitEngine
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.engines.engine import Engine
from htdemucs_n.export.graph import network_graph
from htdemucs_n.export.onnx_file import export_onnx
from htdemucs_n.models.band_transformer import BandTransformer, BandTransformerConfig
from htdemucs_n.models.graph_info import AUDIO, WAVEFORMS, GraphInfo
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


class SplitGraph(SplitEngine):
    """A `SplitEngine` whose stems come from a graph in ONNX Runtime, so that all that is around it is the real one."""

    def separate(self, mixture: Array) -> Array:
        super().separate(mixture)
        return _split_graph(tuple(self.gains.ravel().tolist())).separate(mixture)


@functools.cache
def _split_graph(gains: tuple[float, ...]) -> Engine:
    """The engine onnx with a graph that writes the audio times each gain, for segments of any length."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node("Mul", ["audio_of_all", "gains"], [WAVEFORMS])]
    nodes.insert(0, helper.make_node("Unsqueeze", [AUDIO, "axis"], ["audio_of_all"]))
    constants = [
        onnx.numpy_helper.from_array(np.array([1]), "axis"),
        onnx.numpy_helper.from_array(np.array(gains, np.float32).reshape(1, -1, 1, 1), "gains"),
    ]
    inputs = [helper.make_tensor_value_info(AUDIO, kind, [1, 2, "samples"])]
    outputs = [helper.make_tensor_value_info(WAVEFORMS, kind, [1, len(gains), 2, "samples"])]
    graph = helper.make_graph(nodes, "split", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    info = GraphInfo(
        sources=SOURCES,
        samplerate=44100,
        segment=1.0,
        overlap=0.25,
        inputs=(AUDIO,),
        outputs=(WAVEFORMS,),
        n_ffts=(),
        pad_to_segment=False,
        level=False,
        consistency=False,
    )
    helper.set_model_props(model, info.to_metadata())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "split.onnx"
        onnx.save(model, path)
        return load_engine(path, engine="onnx", threads=1)
