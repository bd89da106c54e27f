"""Export to ONNX: what is in the file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from graph_helpers import noise, stems_of, tiny_bands
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.errors import ModelError
from htdemucs_n.export.graph import network_graph
from htdemucs_n.export.onnx_file import export_onnx, traced, write_onnx
from htdemucs_n.models.graph_info import OPSET, GraphInfo
from htdemucs_n.models.storage import load_saved_model, save_model

FACTS = {"licence": "CC BY 4.0", "sdr": {"vocals": 5.0}}


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    """A network as it leaves the exporter, which takes seconds."""
    return traced(network_graph(tiny_bands(), FACTS))


@pytest.fixture
def write(model: onnx.ModelProto, tmp_path: Path) -> Callable[..., Path]:
    """Writes the file of that network under a name, and gives its path."""

    def written(name: str, weights: Path | None = None, dtype: torch.dtype = torch.float16) -> Path:
        write_onnx(tmp_path / name, copy.deepcopy(model), network_graph(tiny_bands(), FACTS).info, weights, dtype)
        return tmp_path / name

    return written


def test_the_same_network_gives_the_same_file_without_traces_of_the_machine(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    file, again = write("one.onnx"), tmp_path / "two.onnx"
    export_onnx(again, network_graph(tiny_bands(), FACTS))
    content = file.read_bytes()
    assert content == again.read_bytes()
    for trace in (b".py", b"/", b"torch"):
        names = {initializer.name for initializer in onnx.load(file).graph.initializer}
        assert not any(trace.decode() in name for name in names)
    assert b".py" not in content and str(Path(__file__).parent.parent).encode() not in content


def test_weights_are_rounded_to_half_precision(write: Callable[..., Path]) -> None:
    network = tiny_bands()
    for weight in network.parameters():
        weight.data = weight.data.half().float()
    mixture = noise(1, 2, 22_050)
    stems = load_engine(write("half.onnx"), engine="onnx").separate(mixture)
    np.testing.assert_allclose(stems, stems_of(network, mixture), atol=1e-5)


def test_constants_that_half_precision_cannot_hold_keep_their_values(tmp_path: Path) -> None:
    """The exporter writes constants of the computation, such as the number of samples of a mean, beside the weights."""
    samples, weight = np.float32(343_980), np.array([[0.1, 3.0]], np.float32)
    inputs, output = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 2])
        for name in ("spectrum_4096", "masks_0")
    )
    nodes = [
        onnx.helper.make_node("Mul", ["spectrum_4096", "weight"], ["product"]),
        onnx.helper.make_node("Div", ["product", "samples"], ["masks_0"]),
    ]
    values = [onnx.numpy_helper.from_array(np.asarray(v), n) for n, v in (("weight", weight), ("samples", samples))]
    graph = onnx.helper.make_graph(nodes, "mean", [inputs], [output], values)
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    write_onnx(tmp_path / "mean.onnx", model, network_graph(tiny_bands(), {}).info, None, torch.float16)
    session = onnxruntime.InferenceSession(tmp_path / "mean.onnx", providers=["CPUExecutionProvider"])
    (mean,) = session.run(None, {"spectrum_4096": np.full((1, 2), 343_980, np.float32)})
    np.testing.assert_allclose(mean, weight.astype(np.float16), rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.int8, torch.float16, torch.float32])
def test_weights_of_a_file_beside_it_are_taken_as_they_are_stored(
    dtype: torch.dtype, write: Callable[..., Path], tmp_path: Path
) -> None:
    weights = tmp_path / "weights.safetensors"
    save_model(weights, tiny_bands(), {}, dtype)
    file = write("beside.onnx", weights)
    inside = sum(2 * weight.numel() for weight in tiny_bands().parameters())
    assert write("inside.onnx").stat().st_size > file.stat().st_size + 0.9 * inside
    network, _ = load_saved_model(weights)
    mixture = noise(1, 2, 22_050)
    for engine in ("onnx", "openvino"):
        stems = load_engine(file, engine=engine, precision="fp32").separate(mixture)
        np.testing.assert_allclose(stems, stems_of(network, mixture), atol=1e-5)


def test_weights_of_another_kind_or_network_are_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    for other, dtype, says in (
        (tiny_bands(head_channels=8), torch.int8, r"has no tensor 'heads\.0.*another network"),
        (tiny_bands(), torch.float64, "has weights of the type F64: leave out --beside"),
    ):
        save_model(weights, other, {}, dtype)
        with pytest.raises(ModelError, match=rf"weights\.safetensors {says}"):
            write("wrong.onnx", weights)
        assert not (tmp_path / "wrong.onnx").exists()


def test_metadata_say_what_the_graph_is(write: Callable[..., Path]) -> None:
    stored = {entry.key: entry.value for entry in onnx.load(write("model.onnx")).metadata_props}
    info = GraphInfo.from_metadata(stored, "model.onnx")
    assert info.facts == FACTS and info.sources == ("drums", "bass", "other", "vocals") and info.segment == 0.5
    with pytest.raises(ModelError, match=r"model\.onnx has damaged metadata"):
        GraphInfo.from_metadata({**stored, "graph": json.dumps({"sources": 3})}, "model.onnx")
