"""OpenVINO as an engine: graphs on CPUs of Intel, AMD and ARM, in bfloat16 where the CPU multiplies in it."""

from __future__ import annotations

import contextlib
import functools
import locale
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager
from openvino.passes import ConstantFolding, Manager

from htdemucs_n import __version__
from htdemucs_n.engines.compiled_networks import compiled_file, keep_compiled, read_compiled
from htdemucs_n.engines.engine import EngineOptions
from htdemucs_n.engines.graph import GraphEngine, LoadedGraph, Run
from htdemucs_n.engines.graph_check import check_graph
from htdemucs_n.engines.graph_files import (
    GraphFile,
    check_alike,
    check_cpu,
    graph_files,
    loading_error,
    segment_of,
    thread_count,
)
from htdemucs_n.engines.onnx_versions import onnx_versions
from htdemucs_n.engines.weights_beside import WEIGHTS, check_weights
from htdemucs_n.engines.zones import Arrays
from htdemucs_n.errors import ModelError, OptionError
from htdemucs_n.models.graph_info import AUDIO, IR_VERSION, OPSET, GraphInfo, spectrum_name

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}

_NO_BF16 = "this CPU does not compute in bf16: use --precision fp32 or auto"

_FORMATS = {".onnx": "onnx", ".xml": "ir"}
"""What OpenVINO calls the format of a file, by its suffix."""


def load_openvino_engine(options: EngineOptions) -> GraphEngine:
    """Load graphs into OpenVINO, as a `htdemucs_n.engines.choose.Loader`.

    `trusted` does not matter, since a graph runs nothing but its operators.
    """
    check_cpu(options.device, "openvino")
    files = graph_files(options, (".onnx", ".xml"))
    count = thread_count(options.threads)
    kept = compiled_file([file.path for file in files], _conditions(options))
    loaded = None if kept is None else _load_kept(kept, count)
    precision, networks = loaded or _load(files, options, count, kept)
    infos = [info for _, info in networks]
    graphs = [
        LoadedGraph(_runner(network, info), file.share, info)
        for (network, info), file in zip(networks, files, strict=True)
    ]
    return GraphEngine("openvino", precision, graphs, segment_of(infos, options.segment), count)


_Networks = tuple[str, list[tuple[Any, GraphInfo]]]
"""The precision, and compiled networks with their descriptions."""


def _load(files: Sequence[GraphFile], options: EngineOptions, threads: int, kept: Path | None) -> _Networks:
    """Read and compile the networks, and keep them in `kept`."""
    core = openvino_core()
    networks = [_read(core, file.path) for file in files]
    infos = [_info(network, file.path) for network, file in zip(networks, files, strict=True)]
    check_alike(infos)
    precision = _precision(core, options.precision, infos)
    seconds = segment_of(infos, options.segment)

    def compiled(file: GraphFile, network: Any, info: GraphInfo) -> Any:
        try:
            return _compiled(core, network, info, seconds, _settings(precision, threads))
        except RuntimeError as error:
            raise loading_error(file.path, error, "openvino") from error

    def all_compiled() -> list[Any]:
        with _locale_kept(), ThreadPoolExecutor(len(files)) as pool:
            return list(pool.map(compiled, files, networks, infos))

    try:
        results = all_compiled()
    except ModelError:
        if precision != "bf16":
            raise
        precision = "fp32"  # some CPUs say that they compute in bf16 and do not
        results = all_compiled()
        if options.precision == "bf16":
            raise OptionError(_NO_BF16) from None
    if kept is not None:
        facts = {"precision": precision, "infos": [info.to_metadata() for info in infos]}
        # Where memory runs out, OpenVINO says that, or that the file which it writes is closed.
        with contextlib.suppress(MemoryError, RuntimeError, ValueError):
            keep_compiled(kept, facts, [result.export_model().getvalue() for result in results])
    return precision, list(zip(results, infos, strict=True))


def _load_kept(path: Path, threads: int) -> _Networks | None:
    """The networks that `_load` kept; None where there are none that this OpenVINO can use."""
    if (kept := read_compiled(path)) is None:
        return None
    try:
        infos = [GraphInfo.from_metadata(metadata, str(path)) for metadata in kept.facts["infos"]]
        settings = _settings(kept.facts["precision"], threads)
        with _locale_kept(), ThreadPoolExecutor(len(infos)) as pool:
            networks = list(pool.map(lambda network: _imported(network, settings), kept.networks))
    except (RuntimeError, KeyError, TypeError, ModelError):
        return None
    return kept.facts["precision"], list(zip(networks, infos, strict=True))


def _conditions(options: EngineOptions) -> Any:
    """What a compiled network depends on beside its file."""
    core = openvino_core()
    processor = [core.get_property("CPU", key) for key in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA")  # the instructions that OpenVINO may use
    return (__version__, openvino.__version__, processor, allowed, options.precision, options.segment)


def _settings(precision: str, threads: int) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }


@contextlib.contextmanager
def _locale_kept() -> Iterator[None]:
    """Leave the locale of the process as it is.

    OpenVINO sets the locale C while it compiles a network, and then the one before. Where two threads compile, the one
    before may be that of the other thread, so that C stays (seen with OpenVINO 2026.4 on Linux).
    """
    kept = locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_ALL, kept)


@functools.cache
def openvino_core() -> Any:
    """The runtime of OpenVINO: one for the process, which is not freed before the process ends.

    The thread that loads the CPU plugin gets a signal stack from it. If another thread frees the plugin, this stack
    stays in use after its memory is gone, and the next signal, such as that of Ctrl-C, crashes the process (seen with
    OpenVINO 2026.4 on Linux).
    """
    return openvino.Core()


def _precision(core: Any, precision: str, infos: Sequence[GraphInfo]) -> str:
    can = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "auto":
        return "bf16" if can and not any(info.full_precision for info in infos) else "fp32"
    if precision not in _PRECISIONS:
        raise OptionError(f"the engine openvino computes in fp32 or bf16: use --engine torch for {precision}")
    if precision == "bf16" and not can:
        raise OptionError(_NO_BF16)
    return precision


def _read(core: Any, path: Path) -> Any:
    """The network of a file, with its weights in float32: OpenVINO would compute with those of 8 bits as they are.

    Only the format of the file is tried: OpenVINO would try others, and print what they say.

    Raises:
        ModelError: the file cannot be read.
        MemoryError: memory ran out.
    """
    try:
        frontend = FrontEndManager().load_by_framework(_FORMATS[path.suffix.lower()])
        if not frontend.supported(str(path)):
            raise RuntimeError("it is no file of a network")
        network = core.read_model(str(path))
    except RuntimeError as error:
        raise loading_error(path, error, "openvino") from error
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(network)
    return network


def _check_versions(path: Path) -> None:
    """Raise `ModelError` for an ONNX file newer than ours: OpenVINO says nothing of operators that it does not know."""
    ir_version, opset = onnx_versions(path)
    if ir_version > IR_VERSION or opset > OPSET:
        raise ModelError(
            f"{path} cannot be loaded (of ONNX's IR version {ir_version} and opset {opset}; OpenVINO is used up to "
            f"{IR_VERSION} and {OPSET}): use --engine onnx, or export it again"
        )


def _info(network: Any, path: Path) -> GraphInfo:
    """The description of a graph, which fits it, as do its weights. OpenVINO keeps it under `framework`."""
    metadata = {}
    with contextlib.suppress(RuntimeError):  # where another program keeps something else there
        for key in ("format", "version", "graph", WEIGHTS):
            if network.has_rt_info(["framework", key]):
                metadata[key] = network.get_rt_info(["framework", key]).astype(str)
    info = GraphInfo.from_metadata(metadata, str(path))
    if path.suffix.lower() == ".onnx":
        _check_versions(path)
        check_weights(path, metadata)
    outputs = {
        output.any_name: [size.get_length() if size.is_static else math.nan for size in output.partial_shape]
        for output in network.outputs
    }
    check_graph(path, info, [value.any_name for value in network.inputs], outputs)
    return info


def _compiled(core: Any, network: Any, info: GraphInfo, segment: float, settings: dict[str, Any]) -> Any:
    """A network, compiled. Where all segments are padded to one length, it is compiled for this length."""
    if info.pad_to_segment and info.samples is None:
        samples = info.padded_length(0, segment)
        shapes = {AUDIO: [1, 2, samples]}
        shapes |= {spectrum_name(n): [1, 2, samples * 4 // n, n // 2, 2] for n in info.n_ffts}
        network.reshape({name: shapes[name] for name in info.inputs})
    return core.compile_model(network, "CPU", settings)


def _imported(network: NDArray[np.uint8], settings: dict[str, Any]) -> Any:
    """A compiled network whose weights stay in the memory of `network`."""
    compiled = openvino_core().import_model(openvino.Tensor(network, shared_memory=True), "CPU", settings)
    compiled.memory = network  # OpenVINO does not hold it
    return compiled


def _runner(compiled: Any, info: GraphInfo) -> Run:
    """The function that runs a compiled network."""

    def run(inputs: Arrays) -> Arrays:
        results = compiled.create_infer_request().infer(dict(inputs), share_inputs=True)
        return {name: results[name] for name in info.outputs}

    return run
