"""What the engines that run ONNX graphs have in common: all that lies between a segment's samples and the graph.

segment (2, T) -> pad -> scale to an RMS of 1 -> STFTs -> graph -> masks x spectrum -> inverse STFT -> + waveforms
     -> spread what is missing of the mixture over the stems -> undo the scale -> stems (S, 2, T)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.engines.engine import ran_out_of_memory
from htdemucs_n.engines.stft import STFT, Samples, Spectrum
from htdemucs_n.models.graph_info import AUDIO, MASKS, SPECTRA, WAVEFORMS, GraphInfo, spectrum_name

Arrays = Mapping[str, NDArray[np.float32]]
"""The inputs or the outputs of a graph, by their names."""

Run = Callable[[Arrays], Arrays]
"""Runs a graph. The caller may overwrite the outputs."""


@dataclass(frozen=True, eq=False)
class LoadedGraph:
    """A graph in a runtime, its share in the average of all models, and its description."""

    run: Run
    share: float
    info: GraphInfo


class GraphEngine:
    """An `Engine` that runs graphs on the CPU; the stems of several are averaged.

    Args:
        name: of the engine.
        precision: in which the runtime computes.
        graphs: what it runs; all separate the same stems at one rate, and their shares add up to 1.
        segment: seconds that they take at once.
        threads: of the transforms.
    """

    device = "cpu"
    batch = 1

    def __init__(self, name: str, precision: str, graphs: Sequence[LoadedGraph], segment: float, threads: int) -> None:
        infos = [graph.info for graph in graphs]
        self.name, self.precision, self.segment = name, precision, segment
        self.sources, self.samplerate = infos[0].sources, infos[0].samplerate
        self.overlap = min(info.overlap for info in infos)
        pool = ThreadPoolExecutor(threads)
        self._groups = [_Group(info, alike, segment, pool) for info, alike in _by_transforms(graphs)]

    def separate(self, mixture: Samples) -> Samples:
        """As `Engine`."""
        try:
            return np.stack([sum(group.separate(item) for group in self._groups) for item in mixture])
        except Exception as error:
            if ran_out_of_memory(error):
                raise MemoryError(str(error)) from error
            raise


class _Group:
    """Graphs with the same transforms, which they share: their masks are averaged in place of their stems."""

    def __init__(
        self, info: GraphInfo, graphs: Sequence[LoadedGraph], segment: float, pool: ThreadPoolExecutor
    ) -> None:
        self._info, self._graphs, self._segment, self._pool = info, graphs, segment, pool
        self._share = np.float32(sum(graph.share for graph in graphs))
        self._stfts = {n_fft: STFT(n_fft, info.edges) for n_fft in {*info.n_ffts, info.output_n_fft}}

    def separate(self, mixture: Samples) -> Samples:
        """The stems `(S, 2, T)` of `(2, T)`, times the share of these graphs."""
        info, length = self._info, mixture.shape[-1]
        audio = np.zeros((len(mixture), info.padded_length(length, self._segment)), np.float32)
        audio[:, :length] = mixture
        scale = np.sqrt(np.mean(np.square(audio))) + np.float32(1e-5) if info.level else np.float32(1)
        audio /= scale
        spectra = {n_fft: self._transform(stft, audio) for n_fft, stft in self._stfts.items()}
        inputs = {spectrum_name(n_fft): _pairs(spectra[n_fft])[None] for n_fft in info.n_ffts}
        if AUDIO in info.inputs:
            inputs[AUDIO] = audio[None]
        stems = self._synthesised(_average(self._graphs, inputs), spectra[info.output_n_fft], audio)
        if info.consistency:
            stems += (audio * self._share - stems.sum(axis=0)) / np.float32(len(stems))
        return stems[..., :length] * scale

    def _transform(self, stft: STFT, audio: Samples) -> Spectrum:
        """The spectrum `(C, frames, n_fft/2)` of `(C, T)`, a thread for each channel."""
        return np.concatenate(list(self._pool.map(stft.forward, audio[:, None])))

    def _synthesised(self, outputs: Arrays, spectrum: Spectrum, audio: Samples) -> Samples:
        """The stems `(S, C, T)` from the outputs of the graphs, a thread for each stem."""
        info = self._info
        if WAVEFORMS in outputs:
            stems = outputs[WAVEFORMS][0]
        else:
            stems = np.zeros((len(info.sources), *audio.shape), np.float32)
        stft = self._stfts[info.output_n_fft]

        def add(stem: int, written: Spectrum) -> None:
            if MASKS in outputs:
                written *= spectrum
            stems[stem] += stft.inverse(written)[:, : audio.shape[-1]]

        for name in {MASKS, SPECTRA} & set(outputs):
            written = outputs[name][0].view(np.complex64)[..., 0]
            list(self._pool.map(add, range(len(written)), written))
        return stems


def _by_transforms(graphs: Iterable[LoadedGraph]) -> list[tuple[GraphInfo, list[LoadedGraph]]]:
    """Graphs in groups whose descriptions differ in nothing but where the weights come from."""
    groups: list[tuple[GraphInfo, list[LoadedGraph]]] = []
    for graph in graphs:
        info = dataclasses.replace(graph.info, facts={})
        for known, alike in groups:
            if known == info:
                alike.append(graph)
                break
        else:
            groups.append((info, [graph]))
    return groups


def _average(graphs: Sequence[LoadedGraph], inputs: Arrays) -> Arrays:
    """The outputs of the graphs, each times its share, added up."""
    total: dict[str, NDArray[np.float32]] = {}
    for graph in graphs:
        for name, values in graph.run(inputs).items():
            if graph.share != 1:
                values *= np.float32(graph.share)
            total[name] = total[name].__iadd__(values) if name in total else values
    return total


def _pairs(spectrum: Spectrum) -> NDArray[np.float32]:
    """A complex spectrum as real and imaginary parts, a view `(..., 2)`."""
    return spectrum.view(np.float32).reshape(*spectrum.shape, 2)
