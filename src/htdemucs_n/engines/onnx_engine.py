"""ONNX Runtime as an engine: graphs on any CPU, in float32."""

from __future__ import annotations

import functools
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from htdemucs_n.engines.engine import EngineOptions
from htdemucs_n.engines.graph import GraphEngine, LoadedGraph
from htdemucs_n.engines.graph_check import check_graph
from htdemucs_n.engines.graph_files import check_alike, check_cpu, graph_files, loading_error, segment_of, thread_count
from htdemucs_n.engines.weights_beside import check_weights
from htdemucs_n.engines.zones import Arrays
from htdemucs_n.errors import ModelError, OptionError
from htdemucs_n.models.graph_info import GraphInfo


def load_onnx_engine(options: EngineOptions) -> GraphEngine:
    """Load graphs into ONNX Runtime, as a `htdemucs_n.engines.choose.Loader`.

    `trusted` does not matter, since a graph runs nothing but its operators.
    """
    check_cpu(options.device, "onnx")
    if options.precision not in ("auto", "fp32"):
        others = "openvino or torch" if options.precision == "bf16" else "torch"
        raise OptionError(f"the engine onnx computes in fp32: use --engine {others} for {options.precision}")
    count = thread_count(options.threads)
    files = graph_files(options, (".onnx",))
    _share_memory()
    with ThreadPoolExecutor(len(files)) as pool:
        sessions = list(pool.map(lambda file: _session(file.path, count), files))
    infos = [_info(session, file.path) for session, file in zip(sessions, files, strict=True)]
    check_alike(infos)
    graphs = [
        LoadedGraph(_runner(session), file.share, info)
        for session, file, info in zip(sessions, files, infos, strict=True)
    ]
    return GraphEngine("onnx", "fp32", graphs, segment_of(infos, options.segment), count)


@functools.cache
def _share_memory() -> None:
    """Let all sessions of this process take their memory from one place, since they run one after the other."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(memory, None)


def _session(path: Path, threads: int) -> Any:
    """A session whose threads sleep while they wait.

    Raises:
        ModelError: the file cannot be read or run.
        MemoryError: memory ran out.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ModelError(
            f"{path} cannot be loaded (its name or its folder's is not UTF-8): rename it, or use --engine openvino"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.enable_mem_pattern = False  # it keeps one block for all that a run needs, which is larger than the parts
    options.log_severity_level = 4  # errors are raised as well
    try:
        # The fallback would try the CPU again, and print why.
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except _ERRORS as error:
        raise loading_error(path, error, "onnxruntime") from error


_ERRORS = (
    states.Fail,
    states.InvalidArgument,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.NoSuchFile,
    states.NotImplemented,
    states.RuntimeException,
)
"""What ONNX Runtime raises; the classes have no base of their own."""


def _info(session: Any, path: Path) -> GraphInfo:
    """The description of a graph, which fits it, as do its weights."""
    metadata = session.get_modelmeta().custom_metadata_map
    info = GraphInfo.from_metadata(metadata, str(path))
    check_weights(path, metadata)
    outputs = {
        output.name: [size if isinstance(size, int) else math.nan for size in output.shape]
        for output in session.get_outputs()
    }
    check_graph(path, info, [value.name for value in session.get_inputs()], outputs)
    return info


def _runner(session: Any) -> Any:
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Arrays) -> Arrays:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return run
