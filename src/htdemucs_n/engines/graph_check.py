"""Whether a graph is what its file says: a file that does not fit its description is refused before it runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from htdemucs_n.engines.engine import LONGEST_SEGMENT
from htdemucs_n.errors import ModelError
from htdemucs_n.models.graph_info import AUDIO, MASKS, SPECTRA, WAVEFORMS, GraphInfo, spectrum_name

Shapes = Mapping[str, Sequence[Any]]
"""The shape of each output by its name. A dimension that varies is no integer."""


def check_graph(path: Path, info: GraphInfo, inputs: Collection[str], outputs: Shapes) -> None:
    """Raise `ModelError` unless the values of `info` can be used and fit the inputs and outputs of the graph."""
    fits = {**_values(info), **_names(info, inputs, outputs)}
    wrong = [key for key, right in fits.items() if not right]
    if wrong:
        raise ModelError(f"{path} does not fit its description ({', '.join(wrong)}): export it again")


def _values(info: GraphInfo) -> dict[str, bool]:
    """Whether the values of each key are of its type and in its range."""
    sizes = [*info.n_ffts, info.output_n_fft]
    flags = (info.pad_to_segment, info.level, info.consistency, info.full_precision)
    return {
        "sources": all(isinstance(name, str) and name for name in info.sources)
        and len(set(info.sources)) == len(info.sources) > 0,
        "samplerate": _is_count(info.samplerate),
        "segment": isinstance(info.segment, int | float) and 0 < info.segment <= LONGEST_SEGMENT,
        "overlap": isinstance(info.overlap, int | float) and 0 <= info.overlap < 1,
        "n_ffts": all(_is_count(size) and size % 4 == 0 for size in sizes),
        "frame_multiple": _is_count(info.frame_multiple),
        "samples": info.samples is None or _is_count(info.samples),
        "edges": info.edges in ("zero", "reflect"),
        "true or false": all(isinstance(flag, bool) for flag in flags),
        "facts": isinstance(info.facts, Mapping),
    }


def _names(info: GraphInfo, inputs: Collection[str], outputs: Shapes) -> dict[str, bool]:
    """Whether the inputs and outputs are those of the graph, for its stems and the bins of its output STFT."""
    written = {name: outputs.get(name, ()) for name in info.outputs}
    stems = [shape[1] for name, shape in written.items() if name == WAVEFORMS and len(shape) == 4]
    zones = [shape for name, shape in written.items() if name.startswith((MASKS, SPECTRA)) and len(shape) == 7]
    stems += [zone[3] for zone in zones]
    return {
        "inputs": {*info.inputs} == {*inputs} <= {AUDIO, *map(spectrum_name, info.n_ffts)},
        "outputs": len(stems) == len(info.outputs) > 0,
        "stems": all(number == len(info.sources) for number in stems),
        "output_n_fft": not zones or 2 * sum(zone[0] * zone[5] for zone in zones) == info.output_n_fft,
    }


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0
