"""Write a graph as an ONNX file, with its weights inside or in a safetensors file beside it.

Weights are stored in half precision, or as the file beside has them, and converted to float32 by the graph. PyTorch's
exporter leaves traces of the machine and of the source code in the file, which are removed: the same network gives the
same file.
"""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from htdemucs_n.engines.weights_beside import weights_metadata
from htdemucs_n.errors import ModelError
from htdemucs_n.export.graph import Graph
from htdemucs_n.files import whole_file
from htdemucs_n.models.config import HOP
from htdemucs_n.models.eight_bits import SCALE
from htdemucs_n.models.graph_info import AUDIO, IR_VERSION, OPSET, GraphInfo

_PREFIX = "network."
"""Of the names of weights in a `Graph`."""


def export_onnx(path: Path, graph: Graph, weights: Path | None = None, dtype: torch.dtype = torch.float16) -> None:
    """Write `graph` to `path`, with its weights as `dtype`.

    With `weights`, a safetensors file of the same network in the same folder, the graph refers to the tensors of that
    file and holds none itself.

    Raises:
        UserError: `weights` lacks a tensor of the network, or the file cannot be written.
    """
    write_onnx(path, traced(graph), graph.info, weights, dtype)


def traced(graph: Graph) -> Any:
    """The graph as an ONNX model in memory, with its weights in float32, and no word of where it was made."""
    model = _exported(graph)
    _remove_traces(model)
    _remove_zeros(model.graph)
    return model


def write_onnx(path: Path, model: Any, info: GraphInfo, weights: Path | None, dtype: torch.dtype) -> None:
    """Write what `traced` gave, which is changed by it; otherwise as `export_onnx`."""
    content = onnx_bytes(model, info, weights, dtype)
    with whole_file(path) as part:
        part.write_bytes(content)


def onnx_bytes(model: Any, info: GraphInfo, weights: Path | None, dtype: torch.dtype) -> bytes:
    """The content of the file that `write_onnx` writes."""
    import onnx

    stored = None if weights is None else _Stored(weights)
    _store_weights(model, dtype, stored)
    of_weights = {} if weights is None else weights_metadata(weights)
    for key, value in (info.to_metadata() | of_weights).items():
        model.metadata_props.add(key=key, value=value)
    if stored is None:
        onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def example_inputs(info: GraphInfo, frames: int) -> tuple[Tensor, ...]:
    """Noise in the shapes that a graph takes, for `frames` frames of 1024 samples."""
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    samples = info.samples or frames * HOP
    shapes = {f"spectrum_{n}": (1, 2, frames * HOP * 4 // n, n // 2, 2) for n in info.n_ffts}
    return tuple(noise(1, 2, samples) if name == AUDIO else noise(*shapes[name]) for name in info.inputs)


def _exported(graph: Graph) -> Any:
    """What PyTorch's exporter gives. Its length can vary, unless the description says otherwise."""
    info = graph.info
    frames = -(-round(info.segment * info.samplerate) // HOP)
    frames = -(-frames // info.frame_multiple) * info.frame_multiple
    arguments = example_inputs(info, frames)
    shapes = None if info.samples else _dynamic_shapes(info)
    with torch.inference_mode(False), torch.no_grad(), _quiet():
        program: Any = torch.onnx.export(
            graph.eval(),
            arguments,
            input_names=list(info.inputs),
            output_names=list(info.outputs),
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=shapes,
            optimize=graph.folded,
            verbose=False,
        )
    return program.model_proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages that it can do without, and on its own code."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _dynamic_shapes(info: GraphInfo) -> tuple[Any, ...]:
    """The dimension of each input that depends on the length, as a multiple of one number of frames."""
    step = torch.export.Dim("steps", min=1, max=2**16)
    per_step = {AUDIO: (2, info.frame_multiple * HOP)}
    per_step |= {f"spectrum_{n}": (2, info.frame_multiple * HOP * 4 // n) for n in info.n_ffts}
    axes = [{per_step[name][0]: per_step[name][1] * step} for name in info.inputs]
    return (axes[0], tuple(axes[1:])) if info.inputs[0] == AUDIO else (tuple(axes),)


def _remove_traces(model: Any) -> None:
    """Remove source code, places of files and names of versions, and the prefix of the weights' names."""
    model.ir_version = IR_VERSION  # newer exporters may write another, which says nothing of the graph
    model.producer_name, model.producer_version, model.doc_string = "htdemucs_n", "", ""
    del model.metadata_props[:]
    graph = model.graph
    graph.doc_string = ""
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    names = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name in names:
                node.input[index] = name.removeprefix(_PREFIX)
    for tensor in graph.initializer:
        tensor.name = tensor.name.removeprefix(_PREFIX)
    del graph.value_info[:]


def _remove_zeros(graph: Any) -> None:
    """Remove the zeros that the exporter adds in each run where a convolution has no bias.

    They hide from the runtimes that a batch norm can be folded into the convolution.
    """
    zeros = {name for node in graph.node if node.op_type == "Expand" for name in node.output}
    for node in graph.node:
        if node.op_type == "Conv" and zeros.intersection(node.input[2:]):
            del node.input[2]
    used = {output.name for output in graph.output}
    for node in reversed(graph.node):
        if used.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            used.update(node.input)


class _Stored:
    """The places of the tensors in a safetensors file: 8 bytes of length, a JSON header, the tensors.

    Raises:
        ModelError: it is another file.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                size = int.from_bytes(file.read(8), "little")
                self.header: dict[str, Any] = json.loads(file.read(min(size, path.stat().st_size)))
        except ValueError as error:
            raise ModelError(f"{path} is not a safetensors file: leave out --beside") from error
        self.path = path
        self._start = 8 + size

    def place(self, name: str, tensor: Any) -> None:
        """Let an ONNX tensor, whose shape is known, refer to the tensor of that name, and take its type."""
        import onnx

        shape = list(tensor.dims)
        if name not in self.header or self.header[name]["shape"] != shape:
            raise ModelError(f"{self.path} has no tensor '{name}' of shape {shape}: it is of another network")
        kinds = {"I8": onnx.TensorProto.INT8, "F16": onnx.TensorProto.FLOAT16, "F32": onnx.TensorProto.FLOAT}
        stored_as = self.header[name]["dtype"]
        if stored_as not in kinds:
            raise ModelError(f"{self.path} has weights of the type {stored_as}: leave out --beside")
        tensor.data_type = kinds[stored_as]
        tensor.data_location = onnx.TensorProto.EXTERNAL
        begin, end = self.header[name]["data_offsets"]
        place = {"location": self.path.name, "offset": self._start + begin, "length": end - begin}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))


def _store_weights(model: Any, dtype: torch.dtype, stored: _Stored | None) -> None:
    """Put the weights into the graph as `dtype`, or refer to those of a file, and convert them to float32 there."""
    import onnx

    kinds = {torch.float16: onnx.TensorProto.FLOAT16, torch.float32: onnx.TensorProto.FLOAT}
    nodes, scales = [], []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        name = tensor.name
        values = onnx.numpy_helper.to_array(tensor)
        if stored is None and values.size == 1:
            continue  # a constant of the computation, such as a number of samples, which half precision may not hold
        shape = list(tensor.dims)
        tensor.Clear()
        tensor.name = f"{name}.stored"
        tensor.dims.extend(shape)
        if stored is None:
            tensor.data_type = kinds[dtype]
            tensor.raw_data = torch.from_numpy(values.copy()).to(dtype).numpy().tobytes()
        else:
            stored.place(name, tensor)
            if tensor.data_type == onnx.TensorProto.INT8:
                scale = onnx.TensorProto(name=name + SCALE, dims=[shape[0], *[1] * (len(shape) - 1)])
                stored.place(scale.name, scale)
                scales.append(scale)
                nodes.append(onnx.helper.make_node("Cast", [tensor.name], [f"{name}.steps"], to=onnx.TensorProto.FLOAT))
                nodes.append(onnx.helper.make_node("Mul", [f"{name}.steps", scale.name], [name]))
                continue
        nodes.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    model.graph.initializer.extend(scales)
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
