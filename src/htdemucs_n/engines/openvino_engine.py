"""OpenVINO as an engine: graphs on CPUs of Intel, AMD and ARM, in bfloat16 where the CPU multiplies in it."""

from __future__ import annotations

import contextlib
import functools
import locale
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openvino
from openvino.frontend import FrontEndManager
from openvino.passes import ConstantFolding, Manager

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
from htdemucs_n.engines.user_cache import cache_folder
from htdemucs_n.engines.zones import Arrays
from htdemucs_n.errors import OptionError
from htdemucs_n.models.graph_info import AUDIO, GraphInfo, spectrum_name

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}

_FORMATS = {".onnx": "onnx", ".xml": "ir"}
"""What OpenVINO calls the format of a file, by its suffix."""


def load_openvino_engine(options: EngineOptions) -> GraphEngine:
    """Load graphs into OpenVINO, as a `htdemucs_n.engines.choose.Loader`.

    `trusted` does not matter, since a graph runs nothing but its operators.
    """
    check_cpu(options.device, "openvino")
    files = graph_files(options, (".onnx", ".xml"))
    count = thread_count(options.threads)
    core = openvino_core()
    networks = [_read(core, file.path) for file in files]
    infos = [_info(network, file.path) for network, file in zip(networks, files, strict=True)]
    check_alike(infos)
    chosen = _precision(core, options.precision, infos)
    seconds = segment_of(infos, options.segment)
    settings = {
        "INFERENCE_PRECISION_HINT": _PRECISIONS[chosen],
        "INFERENCE_NUM_THREADS": count,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }
    if (folder := cache_folder("openvino")) is not None:
        settings["CACHE_DIR"] = str(folder)  # the compiled network is read from there the next time

    def compiled(file: GraphFile, network: Any, info: GraphInfo) -> Run:
        try:
            return _runner(core, network, info, seconds, settings)
        except RuntimeError as error:
            raise loading_error(file.path, error, "openvino") from error

    with _locale_kept(), ThreadPoolExecutor(len(files)) as pool:
        runners = list(pool.map(compiled, files, networks, infos))
    graphs = [LoadedGraph(runner, file.share, info) for runner, file, info in zip(runners, files, infos, strict=True)]
    return GraphEngine("openvino", chosen, graphs, seconds, count)


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
        raise OptionError("this CPU does not multiply in bf16: use --precision fp32 or auto")
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
            raise RuntimeError(f"no {path.suffix.lower()[1:].upper()} file that this version of OpenVINO can read")
        network = core.read_model(str(path))
    except RuntimeError as error:
        raise loading_error(path, error, "openvino") from error
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(network)
    return network


def _info(network: Any, path: Path) -> GraphInfo:
    """The description of a graph, which fits it. OpenVINO keeps it under `framework`."""
    metadata = {}
    for key in ("format", "version", "graph"):
        if network.has_rt_info(["framework", key]):
            metadata[key] = network.get_rt_info(["framework", key]).astype(str)
    info = GraphInfo.from_metadata(metadata, str(path))
    outputs = {
        output.any_name: [size.get_length() if size.is_static else None for size in output.partial_shape]
        for output in network.outputs
    }
    check_graph(path, info, [value.any_name for value in network.inputs], outputs)
    return info


def _runner(core: Any, network: Any, info: GraphInfo, segment: float, settings: dict[str, Any]) -> Run:
    """The function that runs a graph. Where all segments are padded to one length, the graph is compiled for it."""
    if info.pad_to_segment and info.samples is None:
        samples = info.padded_length(0, segment)
        shapes = {AUDIO: [1, 2, samples]}
        shapes |= {spectrum_name(n): [1, 2, samples * 4 // n, n // 2, 2] for n in info.n_ffts}
        network.reshape({name: shapes[name] for name in info.inputs})
    compiled = core.compile_model(network, "CPU", settings)

    def run(inputs: Arrays) -> Arrays:
        results = compiled.create_infer_request().infer(dict(inputs), share_inputs=True)
        return {name: results[name] for name in info.outputs}

    return run
