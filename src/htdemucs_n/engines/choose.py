"""From models, by name or as objects, to the engine that runs them.

`Separator` is built from this, and every command builds its `Separator` from names, so all have the same defaults.
"""

from __future__ import annotations

import pkgutil
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from htdemucs_n.engines.engine import (
    LONGEST_SEGMENT,
    SHORTEST_SEGMENT,
    Engine,
    EngineOptions,
    check_device,
    check_precision,
    memory_checked,
    ran_out_of_memory,
)
from htdemucs_n.engines.graph_files import has_graph, is_graph_path
from htdemucs_n.engines.sources import ModelSource
from htdemucs_n.errors import OptionError, UserError, damaged_package, require_packages, suggestion
from htdemucs_n.models.names import OFFICIAL_MODELS, model_files

ENGINES = {
    "onnx": ("onnxruntime", "htdemucs_n.engines.onnx_engine:load_onnx_engine"),
    "openvino": ("openvino", "htdemucs_n.engines.openvino_engine:load_openvino_engine"),
    "torch": ("torch", "htdemucs_n.engines.torch_engine:load_torch_engine"),
}
"""The engines by name: the package that each needs, and its function that loads models, a `Loader`.

It is imported when it is used.
"""

_CORE = "onnx"
"""The engine whose package comes with every installation; an extra brings that of each of the others."""

ON_THE_CPU = {"openvino": ("fp32", "bf16"), "onnx": ("fp32",)}
"""The engines that `auto` takes for graphs, the fastest first, and their precisions."""

MOST_THREADS = 1024


Loader = Callable[[EngineOptions], Engine]
"""Loads models into an engine.

Raises `UserError` for an unknown model, device or precision, a bad checkpoint, models that cannot be averaged, or a
segment that a model does not take; and `MemoryError`, or the library's own error, where memory ran out.
"""


def load_engine(
    model: Engine | ModelSource | Sequence[ModelSource],
    *,
    engine: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    segment: float | None = None,
    weights: Sequence[float] | None = None,
    trusted: bool = False,
    threads: int | None = None,
) -> Engine:
    """The engine called `engine`, with one model, or with several whose stems are averaged.

    An `Engine` in place of a model is taken as it is. The arguments are those of `Separator`.

    Raises:
        UserError: an unknown engine, options beside an engine that is made already, a segment or a number of
            threads out of range, not one weight per model, a package that is missing or damaged, not enough memory;
            or as `Loader`.
    """
    if isinstance(model, Engine):
        if (engine, device, precision, segment, weights, threads) != ("auto", "auto", "auto", None, None, None):
            raise OptionError(
                "device, precision, segment, weights and threads are options of models: an engine has them already"
            )
        return model
    if segment is not None and not SHORTEST_SEGMENT <= segment <= LONGEST_SEGMENT:
        raise OptionError(
            f"segment is {segment:g}: give a number of seconds from {SHORTEST_SEGMENT:g} to {LONGEST_SEGMENT:g}"
        )
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise OptionError(f"threads is {threads}: give 1 to {MOST_THREADS}")
    check_device(device)
    check_precision(precision)
    sources = list(model) if isinstance(model, Sequence) and not isinstance(model, str) else [model]
    if not sources:
        raise OptionError("no model is named: leave the models out, or name one")
    for source in sources:
        if not (source is None or isinstance(source, str | Path) or callable(source)):
            raise OptionError(f"model is {source!r}: give the name of a model, a path, a network, or an engine")
        if isinstance(source, str | Path) and str(source) not in OFFICIAL_MODELS:
            model_files(source)  # an unknown name is an error whatever is installed
    counts = _weights(weights, len(sources))
    with memory_checked("not enough memory to load the model: end other programs"):
        name = _name(engine, sources, device, precision)
        if name == "torch":
            for source in filter(_is_graph_file, sources):
                raise OptionError(
                    f"{source} is run by the engines onnx and openvino, on the CPU: use one of them, or its checkpoint"
                )
        official = name == "torch" and any(str(source) in OFFICIAL_MODELS for source in sources)
        loader = _loader(name, "official" if official else name)
        return loader(EngineOptions(sources, counts, device, precision, segment, trusted, threads))


def _loader(name: str, extra: str) -> Loader:
    """The function that loads models into an engine, whose package the `extra` brings. It is imported by this.

    Raises:
        UserError: the package is missing or damaged.
    """
    package, function = ENGINES[name]
    require_packages(f"the engine {name}", None if name == _CORE else extra, package)
    try:
        loader: Loader = pkgutil.resolve_name(function)
    except Exception as error:  # a broken installation raises anything
        if ran_out_of_memory(error):
            raise
        raise damaged_package(f"the engine {name}", package, error) from error
    return loader


def _name(engine: str, sources: Sequence[ModelSource], device: str, precision: str) -> str:
    """A key of `ENGINES`.

    `auto` is torch for what only torch runs, and for a shipped model where there is a GPU and torch is installed. For
    files of OpenVINO it is openvino. Otherwise it is the first of `ON_THE_CPU` that works and computes in the
    precision. Where no such engine works, it is the one that the user should install.
    """
    if engine != "auto":
        if engine not in ENGINES:
            raise OptionError(f"unknown engine '{engine}': {suggestion(engine, ['auto', *ENGINES])}")
        return engine
    if device not in ("auto", "cpu") or not all(map(has_graph, sources)):
        return "torch"
    if any(_is_graph_file(source) and Path(str(source)).suffix.lower() == ".xml" for source in sources):
        return "openvino"  # no other engine reads these files
    only_graphs = any(map(_is_graph_file, sources))
    if not only_graphs and device == "auto" and _has_gpu():
        return "torch"
    able = [name for name, precisions in ON_THE_CPU.items() if precision in ("auto", *precisions)]
    for name in able:
        if _works(name):
            return name
    if only_graphs:
        return "onnx"
    if not able or _works("torch"):
        return "torch"
    return next((name for name in able if find_spec(ENGINES[name][0])), _CORE if _CORE in able else able[0])


def _is_graph_file(source: ModelSource) -> bool:
    return isinstance(source, str | Path) and is_graph_path(Path(source))


def _works(name: str) -> bool:
    """Whether an engine is installed and can be imported, which it is by this."""
    try:
        _loader(name, name)
    except UserError:
        return False
    return True


def _has_gpu() -> bool:
    """Whether PyTorch is there and can use a GPU. It is not imported where the system has none."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64" and _works("torch")
    if not (shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists() or Path("/dev/kfd").exists()):
        return False
    if not _works("torch"):
        return False
    import torch

    return torch.cuda.is_available()


def _weights(weights: Sequence[float] | None, models: int) -> list[float]:
    """One weight per model."""
    counts = [1.0] * models if weights is None else list(weights)
    if len(counts) != models or min(counts) < 0 or not 0 < sum(counts) < float("inf"):
        raise OptionError(f"weights are {counts}: give one number of 0 or more for each of {models} models")
    return counts
