"""The ONNX files of models, and what the engines that run them check before they load any."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from htdemucs_n.engines.engine import EngineOptions, ran_out_of_memory
from htdemucs_n.engines.sources import ModelSource
from htdemucs_n.errors import ModelError, OptionError
from htdemucs_n.files import as_url, is_file
from htdemucs_n.models.graph_info import GraphInfo
from htdemucs_n.models.names import DEFAULT_MODEL, available_models, graph_paths


@dataclass(frozen=True)
class GraphFile:
    """A file with a graph, and its share in the average of all."""

    path: Path
    share: float


def has_graph(source: ModelSource) -> bool:
    """Whether a model is a graph: a shipped one, or the path of an ONNX or OpenVINO file."""
    name = DEFAULT_MODEL if source is None else source
    if not isinstance(name, str | Path):
        return False
    return is_graph_path(Path(name)) or (str(name) in available_models() and all(map(is_file, graph_paths(name))))


def is_graph_path(path: Path) -> bool:
    """Whether a path is that of an ONNX or OpenVINO file, by its suffix."""
    return path.suffix.lower() in (".onnx", ".xml")


def graph_files(options: EngineOptions, suffixes: Sequence[str]) -> list[GraphFile]:
    """The graphs of models, each with its share: an ensemble has several. `suffixes` are those that the engine reads.

    Raises:
        ModelError: a model that is no graph, or a file that is missing or of another format.
    """
    files = []
    for source, weight in zip(options.sources, options.weights, strict=True):
        if not has_graph(source):
            raise ModelError(
                f"{source} is not an ONNX file, so it needs the engine torch: "
                "use --engine torch, or write an ONNX file with `htdemucs-n export`"
            )
        paths = graph_paths(DEFAULT_MODEL if source is None else str(source))
        for path in paths:
            if path.suffix.lower() not in suffixes:
                raise ModelError(f"{path} is of OpenVINO: use --engine openvino, or an .onnx file")
            if not is_file(path):
                raise ModelError(
                    f"no model at {as_url(path) or path}: give the path of an {' or '.join(suffixes)} file"
                )
            files.append(GraphFile(path, weight / sum(options.weights) / len(paths)))
    return files


_IN_SOURCE = re.compile(r".*(?:&\) |\(\) |\.cc:\d+ \w+ |\] : \d+ : \w+ : )")
"""In messages of ONNX Runtime, the functions of its source code through which an error passed."""

_NEWER = re.compile(r"IR version|opset|No Op registered|No conversion rule")
"""In messages on a format, or on operators, that a library does not know yet."""


_LONGEST_REASON = 200
"""Characters of a library's message."""


def loading_error(path: Path, error: Exception, library: str) -> Exception:
    """What is raised where `library` cannot load a graph, which it says in the last line of its message.

    A `MemoryError` where memory ran out, otherwise a `ModelError`.
    """
    message = str(error).replace(str(path), "the file")  # a name such as alloc.onnx says nothing of the error
    if ran_out_of_memory(RuntimeError(message)):
        return MemoryError(message)
    reason = _IN_SOURCE.sub("", message.strip().splitlines()[-1].strip()).rstrip(".!")
    if len(reason) > _LONGEST_REASON:  # its end says what is wrong
        reason = f"... {reason[-_LONGEST_REASON:].partition(' ')[2]}"
    mend = f"install a newer {library}, or export it again" if _NEWER.search(reason) else "export or fetch it again"
    return ModelError(f"{path} cannot be loaded ({reason}): {mend}")


def check_cpu(device: str, engine: str) -> None:
    """Raise `OptionError` for a device other than the CPU."""
    if device not in ("auto", "cpu"):
        raise OptionError(f"the engine {engine} runs on the CPU: use --engine torch for the device {device}")


def check_alike(infos: Sequence[GraphInfo]) -> None:
    """Raise `OptionError` unless all graphs have the same stems and sample rate."""
    for info in infos[1:]:
        if (info.sources, info.samplerate) != (infos[0].sources, infos[0].samplerate):
            raise OptionError(
                "models that are averaged need the same stems in the same order and the same sample rate, not "
                f"{', '.join(infos[0].sources)} at {infos[0].samplerate} Hz and "
                f"{', '.join(info.sources)} at {info.samplerate} Hz"
            )


def segment_of(infos: Sequence[GraphInfo], segment: float | None) -> float:
    """The seconds that all graphs take at once: `segment` where it is given, otherwise what they were trained on.

    Raises:
        OptionError: a graph does not take segments of that length.
    """
    chosen = min(info.segment for info in infos) if segment is None else segment
    for info in infos:
        if info.samples is not None and round(chosen * info.samplerate) > info.samples:
            raise OptionError(
                f"segment is {chosen:g}: this model takes {info.samples / info.samplerate:g} seconds at most"
            )
    return chosen


def thread_count(threads: int | None) -> int:
    """The number of threads to use: `threads`, or the cores that this process may run on."""
    if threads is not None:
        return threads
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
