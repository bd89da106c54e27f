"""Separate songs of any rate, length and channel count with a model that takes stereo at one rate.

blocks (C, n) -> stereo -> model's rate -> segments -> normalise -> model -> undo -> overlap-add (S, 2, n')
     -> input's rate (S, 2, n) -> spread what is missing of the mixture over the stems -> mono again if the input was
     -> with a drum kit: the parts of the drums beside them

All of it is a stream: memory does not grow with the length, and a whole song gives the same bytes as its blocks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio import read_audio
from htdemucs_n.audio.channels import at_most_stereo
from htdemucs_n.audio.resample import DELAY, resample_blocks
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.engines.engine import Engine
from htdemucs_n.engines.sources import ModelSource
from htdemucs_n.errors import OptionError
from htdemucs_n.separation.drum_kit import DRUM_KIT, check_has_drums, part_names, with_parts
from htdemucs_n.separation.estimate import Estimator
from htdemucs_n.separation.mixture import PendingMixture
from htdemucs_n.separation.overlap_add import segment_count, segment_hop
from htdemucs_n.separation.shifts import separate_shifted
from htdemucs_n.separation.tensors import is_tensor, to_array, to_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from htdemucs_n.separation.tensors import Samples

_MAX_OVERLAP = 0.95
_MAX_SHIFT = 0.5
"""Largest random shift, seconds."""

Progress = Callable[[int, int], None]
"""Called with (segments done, segments in all) after every segment; in all is 0 while the length is not known."""


class Separator:
    """Splits songs into the stems of a model. One object may be used from several threads at once.

    Args:
        model: name of a shipped or official model, path of a checkpoint or of an exported file (.onnx, .xml), or a
            network; the stems of several are averaged. By default the shipped default. An engine that is made already
            is taken as it is.
        engine: what runs the model: `onnx`, `openvino` or `torch`. `auto` is torch for what only torch runs and where
            it finds a GPU, otherwise openvino where it is installed, otherwise onnx.
        device: `auto` (the first of CUDA, MPS and CPU that is available), `cpu`, or the name of a torch device, which
            needs the engine torch.
        precision: `fp32`, `bf16` or `fp16` of the convolutions and matrix products, as far as the engine has it;
            `auto` is bf16 where the engine and the device have fast instructions for it and the model allows it,
            otherwise fp32.
        segment: seconds that the model takes at once, 600 at most; by default what it was trained with.
        overlap: part of a segment shared with the next, 0 to 0.95; by default the model's.
        shifts: average the stems over this number of runs, each shifted in time by up to 0.5 s at random; 0 is one
            run without a shift.
        seed: seed of the shifts. The same input, options and device give the same bytes.
        weights: of several models in the average, one number each; by default all are equal.
        batch: segments that the model takes at once; by default 1 on a CPU, 4 elsewhere. It is halved when memory
            runs out.
        trusted: allow a pickled official checkpoint (`.th`), which can run any code.
        threads: CPU threads of the model; by default as many as there are cores.
        drum_kit: add the parts of the drums to the stems, as `drums/kick` and so on, which add up to `drums`. Another
            shipped model takes them apart, with the same options.

    Raises:
        UserError: an unknown engine, model or device, a bad checkpoint, or an option out of its range.
    """

    def __init__(
        self,
        model: Engine | ModelSource | Sequence[ModelSource] = None,
        *,
        engine: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        segment: float | None = None,
        overlap: float | None = None,
        shifts: int = 0,
        seed: int = 0,
        weights: Sequence[float] | None = None,
        batch: int | None = None,
        trusted: bool = False,
        threads: int | None = None,
        drum_kit: bool = False,
    ) -> None:
        _check_options(overlap, shifts, batch)
        run: dict[str, Any] = {
            "engine": engine,
            "device": device,
            "precision": precision,
            "segment": segment,
            "threads": threads,
        }
        self.engine = load_engine(model, **run, weights=weights, trusted=trusted)
        self._kit: Separator | None = None
        self.sources = self.engine.sources
        if drum_kit:
            check_has_drums(self.sources)
            self._kit = Separator(DRUM_KIT, **run, overlap=overlap, shifts=shifts, seed=seed, batch=batch)
            self.sources = (*self.sources, *part_names(self._kit.sources))
        self.shifts = shifts
        self.seed = seed
        self.batch = batch or self.engine.batch
        self.overlap = float(self.engine.overlap if overlap is None else overlap)
        self._segment = max(1, round(self.engine.segment * self.engine.samplerate))
        self.estimator = Estimator(self.engine)

    @property
    def segment_seconds(self) -> float:
        """Seconds of a song that one segment adds to the result, for progress: all shifts together count once."""
        return segment_hop(self._segment, self.overlap) / self.engine.samplerate / len(self._offsets())

    def latency(self, sample_rate: int) -> int:
        """How many samples `stream` reads at most, at `sample_rate` Hz, beyond those it has returned.

        That is one segment times the segments that share a batch, and the delays of resampling. The caller's own block
        is added to it.
        """
        rate = self.engine.samplerate
        delay = 0 if sample_rate == rate else 2 * DELAY * max(1.0, sample_rate / rate)
        own = round(self._segment * self.batch * sample_rate / rate + delay) + 1
        return own + (self._kit.latency(sample_rate) if self._kit else 0)

    def separate_file(
        self, path: str | Path | BinaryIO, progress: Progress | None = None, cancel: Event | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Separate an audio or video file, or an open binary one; returns stems `(C, T)` at the file's own rate.

        Raises:
            UserError: the file cannot be read (see `htdemucs_n.audio.read_audio`), or as `separate`.
        """
        audio = read_audio(path)
        mixture = at_most_stereo(audio.samples, audio.speakers)
        return self.separate(mixture, audio.sample_rate, progress, cancel)

    @overload
    def separate(
        self,
        mixture: NDArray[np.generic],
        sample_rate: int,
        progress: Progress | None = None,
        cancel: Event | None = None,
    ) -> dict[str, NDArray[np.float32]]: ...

    @overload
    def separate(
        self, mixture: Tensor, sample_rate: int, progress: Progress | None = None, cancel: Event | None = None
    ) -> dict[str, Tensor]: ...

    def separate(
        self, mixture: Samples, sample_rate: int, progress: Progress | None = None, cancel: Event | None = None
    ) -> dict[str, NDArray[np.float32]] | dict[str, Tensor]:
        """Separate `mixture` `(C, T)` at `sample_rate` Hz, any C from 1 to 64 and any T from 1 up.

        The stems are float32 arrays, or tensors on the CPU where `mixture` is a tensor of torch, at the same rate and
        length; they add up to the mixture. Mono gives mono stems, stereo stereo ones; more channels (WAVE order) are
        first mixed down to stereo, and the stereo stems add up to that (`htdemucs_n.audio.channels.to_stereo`).

        Shape: returns one `(C, T)` per stem, C at most 2.

        Raises:
            UserError: NaN or infinite samples, not enough memory, or a model that puts out NaN.
            Cancelled: `cancel` was set; it is looked at before every segment.
            ValueError: not two dimensions, an empty one, more than 64 channels, or a sample rate below 1.
        """
        samples = to_array(mixture)
        if samples.ndim != 2 or not samples.size or not sample_rate >= 1:
            raise ValueError(f"separate takes (C, T) at a rate in Hz, not {samples.shape} at {sample_rate}")
        channels, length = samples.shape
        whole = {source: np.empty((min(2, channels), length), np.float32) for source in self.sources}
        start = 0
        for block in self.stream([samples], sample_rate, length, progress, cancel):
            for source, samples in block.items():
                whole[source][:, start : start + samples.shape[1]] = samples
            start += samples.shape[1]
        return to_tensors(whole) if is_tensor(mixture) else whole

    @overload
    def stream(
        self,
        blocks: Iterable[NDArray[np.generic]],
        sample_rate: int,
        length: int | None = None,
        progress: Progress | None = None,
        cancel: Event | None = None,
    ) -> Iterator[dict[str, NDArray[np.float32]]]: ...

    @overload
    def stream(
        self,
        blocks: Iterable[Tensor],
        sample_rate: int,
        length: int | None = None,
        progress: Progress | None = None,
        cancel: Event | None = None,
    ) -> Iterator[dict[str, Tensor]]: ...

    def stream(
        self,
        blocks: Iterable[Samples],
        sample_rate: int,
        length: int | None = None,
        progress: Progress | None = None,
        cancel: Event | None = None,
    ) -> Iterator[dict[str, NDArray[np.float32]]] | Iterator[dict[str, Tensor]]:
        """Separate a stream of blocks `(C, n)` at `sample_rate` Hz, each of any n, as they come.

        Yields blocks of stems, `(C, m)` per stem, as `separate` describes them; m differs from block to block. Put
        together they are, bit for bit, the stems that `separate` gives for the whole. What comes out lags behind
        what went in by `latency(sample_rate)` samples and the caller's block at most. Blocks are copied: their memory
        may be used for the next ones.

        `length` is the number of samples to come, for `progress` alone, where it is known.

        Raises:
            UserError, Cancelled: as `separate`.
            ValueError: a block that is not `(C, n)`, or whose C differs from the first one's.
        """
        stems = self._separated(blocks, sample_rate, length, progress, cancel)
        kit = self._kit
        return stems if kit is None else with_parts(stems, lambda drums: kit.stream(drums, sample_rate, cancel=cancel))

    def _separated(
        self,
        blocks: Iterable[Samples],
        sample_rate: int,
        length: int | None,
        progress: Progress | None,
        cancel: Event | None,
    ) -> Iterator[dict[str, Any]]:
        """Blocks of the stems of the engine."""
        mixture = PendingMixture()
        report = self._segment_counter(sample_rate, length, progress)
        estimate = self.estimator.for_song(report, cancel)
        rate = self.engine.samplerate
        resampled = resample_blocks(mixture.read(blocks), sample_rate, rate)
        separated = separate_shifted(resampled, self._segment, self.overlap, self._offsets(), estimate, self.batch)
        flat = (stems.reshape(-1, stems.shape[-1]) for stems in separated)
        for block in resample_blocks(flat, rate, sample_rate):
            yield from self._named(mixture.complete(block.reshape(len(self.engine.sources), 2, -1)), mixture.tensors)
        if mixture.length:  # resampling to the model's rate and back can lose a sample
            rest = np.zeros((len(self.engine.sources), 2, mixture.length), np.float32)
            yield from self._named(mixture.complete(rest), mixture.tensors)

    def _named(self, stems: NDArray[np.float32], as_tensors: bool) -> Iterator[dict[str, Any]]:
        """Stems `(S, C, n)` by name; nothing where n is 0."""
        if stems.shape[-1]:
            named = dict(zip(self.engine.sources, stems, strict=True))
            yield to_tensors(named) if as_tensors else named

    def _segment_counter(
        self, sample_rate: int, length: int | None, progress: Progress | None
    ) -> Callable[[int], None]:
        """A function to be called with the number of segments just done; it calls `progress`."""
        done = total = 0
        if length is not None:
            samples = max(1, round(length * self.engine.samplerate / sample_rate))
            total = sum(segment_count(samples + offset, self._segment, self.overlap) for offset in self._offsets())

        def report(segments: int) -> None:
            nonlocal done
            done += segments
            if progress:
                progress(done, max(done, total) if total else 0)  # a length can be wrong

        return report

    def _offsets(self) -> list[int]:
        """Samples of silence put before the mixture, one number per run."""
        if not self.shifts:
            return [0]
        rng = random.Random(self.seed)
        return [rng.randint(0, round(_MAX_SHIFT * self.engine.samplerate)) for _ in range(self.shifts)]


def _check_options(overlap: float | None, shifts: int, batch: int | None) -> None:
    if overlap is not None and not 0 <= overlap <= _MAX_OVERLAP:
        raise OptionError(f"overlap is {overlap:g}: give a fraction from 0 to {_MAX_OVERLAP:g}")
    if shifts < 0:
        raise OptionError(f"shifts is {shifts}: give 0 or more")
    if batch is not None and batch < 1:
        raise OptionError(f"batch is {batch}: give 1 or more")
