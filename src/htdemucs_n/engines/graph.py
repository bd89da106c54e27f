"""What the engines that run ONNX graphs have in common: all that lies between a segment's samples and the graph.

segment (2, T) -> pad -> scale to an RMS of 1 -> STFTs -> graph -> masks x spectrum -> inverse STFT -> + waveforms
     -> spread what is missing of the mixture over the stems -> undo the scale -> stems (S, 2, T)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.engines.engine import ran_out_of_memory
from htdemucs_n.engines.stft import STFT, Samples, Spectrum
from htdemucs_n.engines.zones import Arrays, Written, spectrum_of
from htdemucs_n.models.graph_info import AUDIO, WAVEFORMS, Framing, GraphInfo, spectrum_name

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
        graphs: what it runs; all separate the same stems at one rate, and their shares add up to 1. One with a share
            of 0 has a say in the segment and the overlap, as in the engine torch, and is not run.
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
        self._graphs = [graph for graph in graphs if graph.share]
        self._pool = ThreadPoolExecutor(threads)
        windows = {(n_fft, info.edges) for info in infos for n_fft in (*info.n_ffts, info.output_n_fft)}
        self._stfts = {window: STFT(*window) for window in windows}

    def separate(self, mixture: Samples) -> Samples:
        """As `Engine`."""
        try:
            return np.stack([self._separate(item) for item in mixture])
        except Exception as error:
            if ran_out_of_memory(error):
                raise MemoryError(str(error)) from error
            raise

    def _separate(self, mixture: Samples) -> Samples:
        """The stems `(S, 2, T)` of `(2, T)`."""
        groups: dict[Framing, list[LoadedGraph]] = {}
        for graph in self._graphs:
            groups.setdefault(graph.info.framing(mixture.shape[-1], self.segment), []).append(graph)
        stems: Samples = sum(self._separate_alike(mixture, *group) for group in groups.items())  # type: ignore[assignment]
        return stems

    def _separate_alike(self, mixture: Samples, framing: Framing, graphs: Sequence[LoadedGraph]) -> Samples:
        """The stems of graphs that share their transforms, times their share: what they write is averaged first."""
        audio = np.zeros((len(mixture), framing.samples), np.float32)
        audio[:, : mixture.shape[-1]] = mixture
        scale = np.sqrt(np.mean(np.square(audio))) + np.float32(1e-5) if framing.level else np.float32(1)
        audio /= scale
        windows = {framing.output_n_fft}.union(*(graph.info.n_ffts for graph in graphs))
        spectra = {n_fft: self._transform(self._stfts[n_fft, framing.edges], audio) for n_fft in windows}
        inputs = {AUDIO: audio[None]} | {spectrum_name(n): _pairs(spectrum)[None] for n, spectrum in spectra.items()}
        written = []
        stems = np.zeros((len(self.sources), *audio.shape), np.float32)
        for graph in graphs:
            outputs = graph.run({name: inputs[name] for name in graph.info.inputs})
            if WAVEFORMS in outputs:
                stems += np.float32(graph.share) * outputs[WAVEFORMS][0]
            written.append(Written(outputs, graph.share))

        def add(stem: int) -> None:
            mixed = spectra[framing.output_n_fft]
            blocks = spectrum_of(written, stem, mixed)
            audio = self._stfts[framing.output_n_fft, framing.edges].inverse(blocks, mixed.shape[1])
            stems[stem] += audio[:, : framing.samples]

        if any(part.zones for part in written):
            list(self._pool.map(add, range(len(stems))))
        if framing.consistency:
            share = np.float32(sum(graph.share for graph in graphs))
            stems += (audio * share - stems.sum(axis=0)) / np.float32(len(stems))
        return stems[..., : mixture.shape[-1]] * scale

    def _transform(self, stft: STFT, audio: Samples) -> Spectrum:
        """The spectrum `(C, frames, n_fft/2)` of `(C, T)`, a thread for each channel."""
        return np.concatenate(list(self._pool.map(stft.forward, audio[:, None])))


def _pairs(spectrum: Spectrum) -> NDArray[np.float32]:
    """A complex spectrum as real and imaginary parts, a view `(..., 2)`."""
    return spectrum.view(np.float32).reshape(*spectrum.shape, 2)
