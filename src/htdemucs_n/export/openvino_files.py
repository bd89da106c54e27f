"""Write a graph as the two files of OpenVINO."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from htdemucs_n.export.graph import Graph
from htdemucs_n.export.onnx_file import export_onnx
from htdemucs_n.files import whole_file


def export_openvino(path: Path, graph: Graph, dtype: torch.dtype = torch.float16) -> None:
    """Write `graph` as OpenVINO's files `path` (.xml) and, beside it, `.bin`, with its weights as `dtype`.

    Raises:
        UserError: a file cannot be written.
    """
    import openvino

    from htdemucs_n.engines.openvino_engine import openvino_core

    with TemporaryDirectory() as folder:
        source = Path(folder) / "graph.onnx"
        export_onnx(source, graph, dtype=torch.float32)
        converted = openvino_core().read_model(source)
        written = Path(folder) / "graph.xml"
        openvino.save_model(converted, written, compress_to_fp16=dtype == torch.float16)
        # Both are written before either is moved into place. What is opened by name is the last to appear.
        with whole_file(path) as network, whole_file(path.with_suffix(".bin")) as weights:
            weights.write_bytes(written.with_suffix(".bin").read_bytes())
            network.write_bytes(written.read_bytes())
