"""The graphs in the package: they belong to the weights beside them, and the exporter writes them again."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import onnx
import pytest

from htdemucs_n.export.graph_of import graph_of
from htdemucs_n.export.onnx_file import export_onnx
from htdemucs_n.models.names import available_models, graph_paths, model_files

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", available_models())
def test_shipped_graphs_point_at_the_tensors_of_the_shipped_weights(name: str) -> None:
    """Offsets into a file of weights are right only for that very file: after it changes the graph is exported anew."""
    for graph, weights in zip(graph_paths(name), model_files(name), strict=True):
        header = json.loads(weights.read_bytes()[8 : 8 + int.from_bytes(weights.read_bytes()[:8], "little")])
        start = weights.stat().st_size - max(
            end for _, end in (t["data_offsets"] for k, t in header.items() if k != "__metadata__")
        )
        pointing = [
            tensor
            for tensor in onnx.load(graph, load_external_data=False).graph.initializer
            if tensor.data_location == onnx.TensorProto.EXTERNAL
        ]
        assert {tensor.name.removesuffix(".stored") for tensor in pointing} == {
            key for key, tensor in header.items() if tensor.get("dtype") in ("I8", "F16", "F32")
        }
        for tensor in pointing:
            place = {entry.key: entry.value for entry in tensor.external_data}
            stored = header[tensor.name.removesuffix(".stored")]
            begin, end = stored["data_offsets"]
            assert list(tensor.dims) == stored["shape"] and place["location"] == weights.name
            assert (int(place["offset"]), int(place["length"])) == (start + begin, end - begin)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bands", "small", "drumkit"])
def test_the_exporter_writes_them(name: str, tmp_path: Path) -> None:
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    for package in ("torch", "onnx", "onnxscript"):
        installed = f"{package}=={version(package).partition('+')[0]}"
        if installed not in constraints:
            pytest.skip(f"the graph was written with the versions of constraints.txt, and {installed} is not one")
    (weights,), (graph,) = model_files(name), graph_paths(name)
    copied = Path(shutil.copy(weights, tmp_path))
    export_onnx(tmp_path / graph.name, graph_of(str(copied)), copied)
    assert (tmp_path / graph.name).read_bytes() == graph.read_bytes()
