"""`htdemucs-n export`: a model as an ONNX file, or for OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from htdemucs_n.cli.options import Trust
from htdemucs_n.errors import OptionError, require_packages


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Name of a shipped or official model, or path of a checkpoint.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="File to write: .onnx, or .xml for OpenVINO.", show_default=False)
    ],
    beside: Annotated[
        bool,
        typer.Option(
            "--beside",
            help="Leave the weights in MODEL, a checkpoint in the same folder, as they are stored, and refer to them.",
        ),
    ] = False,
    float32: Annotated[
        bool, typer.Option("--float32", help="Store the weights in single precision; otherwise half.")
    ] = False,
    trust: Trust = False,
) -> None:
    """Write a model as a file that `separate -n FILE` runs without PyTorch.

    The file has the network and its weights, the names of the stems, the sample rate, the segment, and what is known of
    the training. The weights are stored in half precision, which takes half the space; the loss of quality on the demo
    song is printed in dB.
    """
    if out.suffix.lower() not in (".onnx", ".xml"):
        raise OptionError(f"--out {out}: give a name that ends in .onnx or .xml")
    if out.is_dir():
        raise OptionError(f"--out {out} is a folder: give the name of a file")
    if beside and (float32 or out.suffix.lower() != ".onnx"):
        raise OptionError("--beside writes an .onnx file, and its weights keep the precision of the checkpoint")
    from htdemucs_n.engines.graph_files import is_graph_path
    from htdemucs_n.models.names import weights_path

    if is_graph_path(Path(model)):
        raise OptionError(f"{model} is exported already: separate with it, or name the checkpoint that it was made of")
    weights = weights_path(model) if beside else None
    if weights is not None and weights.resolve().parent != out.resolve().parent:
        raise OptionError(f"--beside: '{out}' has to be in the folder of the checkpoint '{weights}'")
    require_packages(f"export to {out.suffix}", "export", "torch", "onnx", "onnxscript")
    if out.suffix.lower() == ".xml":
        require_packages(f"export to {out.suffix}", "openvino", "openvino")
    import torch

    from htdemucs_n.audio import make_folder
    from htdemucs_n.export.graph_of import graph_of
    from htdemucs_n.export.half_precision import half_precision_cost
    from htdemucs_n.export.onnx_file import export_onnx
    from htdemucs_n.export.openvino_files import export_openvino
    from htdemucs_n.files import check_writable

    graph = graph_of(model, trust)
    make_folder(out.parent)  # before the work, not after it, if it cannot be made or written
    check_writable(out)
    cost = None if float32 or beside else half_precision_cost(graph)
    if cost is not None:
        graph.add_fact("half_precision_cost_db", cost)
    if out.suffix.lower() == ".xml":
        export_openvino(out, graph, torch.float32 if float32 else torch.float16)
    else:
        export_onnx(out, graph, weights, torch.float32 if float32 else torch.float16)
    files = [out.with_suffix(".bin"), out] if out.suffix.lower() == ".xml" else [out]
    size = sum(file.stat().st_size for file in files) / 2**20
    note = "" if cost is None else f", {cost:.3f} dB lost on the demo song by half precision"
    typer.echo(f"{out}: {size:.1f} MiB{note}")
