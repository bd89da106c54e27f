"""Write a graph as the two files of OpenVINO."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from htdemucs_n.export.graph import Graph
from htdemucs_n.export.onnx_file import onnx_bytes, traced
from htdemucs_n.files import whole_file


def export_openvino(path: Path, graph: Graph, dtype: torch.dtype = torch.float16) -> None:
    """Write `graph` as OpenVINO's files `path` (.xml) and, beside it, `.bin`, with its weights as `dtype`.

    Raises:
        UserError: a file cannot be written.
    """
    import openvino

    from htdemucs_n.engines.openvino_engine import openvino_core

    converted = openvino_core().read_model(onnx_bytes(traced(graph), graph.info, None, torch.float32))
    # Both are written before either is moved into place. What is opened by name is the last to appear.
    with whole_file(path) as network, TemporaryDirectory(prefix=".", dir=network.parent) as folder:
        written = Path(folder) / "graph.xml"  # OpenVINO chooses the name of the weights by this one
        try:
            openvino.save_model(converted, written, compress_to_fp16=dtype == torch.float16)
        except RuntimeError as error:  # it does not say why, and the folder can be written to
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        with whole_file(path.with_suffix(".bin")) as weights:
            written.with_suffix(".bin").replace(weights)
        written.replace(network)
