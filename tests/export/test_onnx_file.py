"""Export to ONNX: what is in the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from graph_helpers import noise, stems_of, tiny_bands
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.errors import ModelError
from htdemucs_n.export.graph import network_graph
from htdemucs_n.export.onnx_file import export_onnx
from htdemucs_n.models.graph_info import GraphInfo
from htdemucs_n.models.names import available_models, graph_paths, model_files
from htdemucs_n.models.storage import save_model


def test_the_same_network_gives_the_same_file_without_traces_of_the_machine(tmp_path: Path) -> None:
    files = [tmp_path / "one.onnx", tmp_path / "two.onnx"]
    for file in files:
        export_onnx(file, network_graph(tiny_bands(), {"licence": "CC0"}))
    content = files[0].read_bytes()
    assert content == files[1].read_bytes()
    for trace in (b".py", b"/", b"torch"):
        names = {initializer.name for initializer in onnx.load(files[0]).graph.initializer}
        assert not any(trace.decode() in name for name in names)
    assert b".py" not in content and str(Path(__file__).parent.parent).encode() not in content


def test_weights_are_rounded_to_half_precision(tmp_path: Path) -> None:
    network = tiny_bands()
    export_onnx(tmp_path / "half.onnx", network_graph(network, {}))
    for weight in network.parameters():
        weight.data = weight.data.half().float()
    mixture = noise(1, 2, 22_050)
    stems = load_engine(tmp_path / "half.onnx", engine="onnx").separate(mixture)
    np.testing.assert_allclose(stems, stems_of(network, mixture), atol=1e-5)


def test_weights_of_a_file_beside_it_are_stored_once(tmp_path: Path) -> None:
    network, weights = tiny_bands(), tmp_path / "weights.safetensors"
    save_model(weights, network, {}, torch.float16)
    export_onnx(tmp_path / "inside.onnx", network_graph(network, {}))
    export_onnx(tmp_path / "beside.onnx", network_graph(network, {}), weights)
    stored = sum(2 * weight.numel() for weight in network.parameters())
    assert (tmp_path / "inside.onnx").stat().st_size > (tmp_path / "beside.onnx").stat().st_size + 0.9 * stored
    mixture = noise(1, 2, 22_050)
    inside, beside = (load_engine(tmp_path / f"{name}.onnx", engine="onnx") for name in ("inside", "beside"))
    assert np.array_equal(inside.separate(mixture), beside.separate(mixture))

    for other, dtype, says in (
        (tiny_bands(head_channels=8), torch.float16, r"has no tensor 'heads\.0.*another network"),
        (network, torch.float32, "is not in half precision"),
    ):
        save_model(weights, other, {}, dtype)
        with pytest.raises(ModelError, match=rf"weights\.safetensors {says}"):
            export_onnx(tmp_path / "wrong.onnx", network_graph(network, {}), weights)
        assert not (tmp_path / "wrong.onnx").exists()


def test_metadata_say_what_the_graph_is(tmp_path: Path) -> None:
    facts = {"licence": "CC BY 4.0", "sdr": {"vocals": 5.0}}
    export_onnx(tmp_path / "model.onnx", network_graph(tiny_bands(), facts))
    stored = {entry.key: entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
    info = GraphInfo.from_metadata(stored, "model.onnx")
    assert info.facts == facts and info.sources == ("drums", "bass", "other", "vocals") and info.segment == 0.5
    with pytest.raises(ModelError, match=r"model\.onnx has damaged metadata"):
        GraphInfo.from_metadata({**stored, "graph": json.dumps({"sources": 3})}, "model.onnx")


@pytest.mark.parametrize("name", available_models())
def test_shipped_graphs_point_at_the_tensors_of_the_shipped_weights(name: str) -> None:
    """Offsets into a file of weights are right only for that very file: after it changes the graph is exported anew."""
    for graph, weights in zip(graph_paths(name), model_files(name), strict=True):
        header = json.loads(weights.read_bytes()[8 : 8 + int.from_bytes(weights.read_bytes()[:8], "little")])
        start = weights.stat().st_size - max(
            end for _, end in (t["data_offsets"] for k, t in header.items() if k != "__metadata__")
        )
        for tensor in onnx.load(graph, load_external_data=False).graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT16:
                place = {entry.key: entry.value for entry in tensor.external_data}
                stored = header[tensor.name.removesuffix(".stored")]
                begin, end = stored["data_offsets"]
                assert list(tensor.dims) == stored["shape"] and place["location"] == weights.name
                assert (int(place["offset"]), int(place["length"])) == (start + begin, end - begin)
