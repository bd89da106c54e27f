"""Whether a graph is what its file says: a file that does not fit its description is refused before it runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from htdemucs_n.engines.engine import LONGEST_SEGMENT, SHORTEST_SEGMENT
from htdemucs_n.errors import ModelError
from htdemucs_n.models.graph_info import AUDIO, MASKS, SPECTRA, WAVEFORMS, GraphInfo, spectrum_name

Shapes = Mapping[str, Sequence[float]]
"""The shape of each output by its name. A dimension that varies is NaN, which equals nothing."""

RATES = range(1000, 384_001)
"""Hz. A song is converted to the rate of its model, and takes memory in proportion to it."""

WINDOWS = tuple(2**power for power in range(5, 17))
"""Of STFTs, samples. The spectrum of each of them takes four times the memory of the audio."""

MOST_SAMPLES = 2**25
"""Of all stems of a segment together, in each channel: 190 s of four stems at 44.1 kHz.

A graph is given this much at once, so that what a file says of its length limits the memory of a separation. A few
GiB are enough.
"""


def check_graph(path: Path, info: GraphInfo, inputs: Collection[str], outputs: Shapes) -> None:
    """Raise `ModelError` unless the values of `info` can be used and fit the inputs and outputs of the graph."""
    fits = {**_values(info), **_names(info, inputs, outputs)}
    wrong = [key for key, right in fits.items() if not right]
    if wrong:
        raise ModelError(f"{path} does not fit its description ({', '.join(wrong)}): export it again")


def _values(info: GraphInfo) -> dict[str, bool]:
    """Whether the value of each key is in its range."""
    limits = {
        "sources": all(name and name.isprintable() for name in info.sources)
        and len(set(info.sources)) == len(info.sources) > 0,
        "samplerate": info.samplerate in RATES,
        "segment": SHORTEST_SEGMENT <= info.segment <= LONGEST_SEGMENT,
        "overlap": 0 <= info.overlap < 1,
        "n_ffts": {*info.n_ffts, info.output_n_fft} <= {*WINDOWS},
        "frame_multiple": info.frame_multiple > 0,
        "edges": info.edges in ("zero", "reflect"),
    }
    if all(limits.values()):
        least = round(info.segment * info.samplerate)
        given = info.padded_length(least, info.segment)
        limits["samples of a segment"] = least <= given <= MOST_SAMPLES // len(info.sources)
    return limits


def _names(info: GraphInfo, inputs: Collection[str], outputs: Shapes) -> dict[str, bool]:
    """Whether the inputs and outputs are those of the graph, for its stems and the bins of its output STFT."""
    spectra = [name for name in info.inputs if name != AUDIO]
    bands = [name for name in info.outputs if name != WAVEFORMS]
    written = {name: outputs.get(name, ()) for name in info.outputs}
    zones = [shape for name, shape in written.items() if name != WAVEFORMS and len(shape) == 7]
    stems = [shape[1] for name, shape in written.items() if name == WAVEFORMS and len(shape) == 4]
    stems += [zone[3] for zone in zones]
    return {
        "inputs": sorted(info.inputs) == sorted(inputs) and sorted(spectra) == sorted(map(spectrum_name, info.n_ffts)),
        "outputs": sorted(info.outputs) == sorted(outputs)
        and bands in [[f"{kind}_{number}" for number in range(len(bands))] for kind in (MASKS, SPECTRA)]
        and len(stems) == len(info.outputs) > 0,
        "stems": all(number == len(info.sources) for number in stems),
        "output_n_fft": not zones or 2 * sum(zone[0] * zone[5] for zone in zones) == info.output_n_fft,
    }
