"""Write a graph as the two files of OpenVINO."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from htdemucs_n.errors import missing_package
from htdemucs_n.export.graph import Graph
from htdemucs_n.export.onnx_file import export_onnx
from htdemucs_n.files import write_whole


def export_openvino(path: Path, graph: Graph, dtype: torch.dtype = torch.float16) -> None:
    """Write `graph` as OpenVINO's files `path` (.xml) and, beside it, `.bin`, with its weights as `dtype`.

    Raises:
        UserError: the package onnx, onnxscript or openvino is not installed, or a file cannot be written.
    """
    try:
        import openvino
    except ImportError as error:
        raise missing_package("export to .xml", str(error.name), "openvino") from None
    with TemporaryDirectory() as folder:
        source = Path(folder) / "graph.onnx"
        export_onnx(source, graph, dtype=torch.float32)
        converted = openvino.Core().read_model(source)
        written = Path(folder) / path.name
        openvino.save_model(converted, written, compress_to_fp16=dtype == torch.float16)
        for suffix in (".bin", ".xml"):  # the one that is opened by name is the last to appear
            write_whole(path.with_suffix(suffix), written.with_suffix(suffix).read_bytes())
