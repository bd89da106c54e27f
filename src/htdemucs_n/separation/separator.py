"""Separate songs of any rate, length and channel count with a model that hears stereo at one rate.

blocks (C, n) -> stereo -> model's rate -> segments -> normalise -> model -> undo -> overlap-add (S, 2, n')
     -> input's rate (S, 2, n) -> spread what is missing of the mixture over the stems -> mono again if the input was

All of it is a stream: memory does not grow with the length, and a whole song gives the same bytes as its blocks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from htdemucs_n.audio import read_audio
from htdemucs_n.audio.resample import DELAY, resample_blocks
from htdemucs_n.errors import UserError
from htdemucs_n.openmp import check_openmp
from htdemucs_n.separation.channels import to_stereo
from htdemucs_n.separation.device import choose_device, choose_precision
from htdemucs_n.separation.estimate import Estimator
from htdemucs_n.separation.overlap_add import segment_count, segment_hop
from htdemucs_n.separation.runs import SeparationModel, Voice, run_all

_MAX_OVERLAP = 0.95
_MAX_SHIFT = 0.5
"""Largest random shift, seconds."""

_BLOCK = 65536
"""Samples handled at once between the segments: what comes in larger blocks is cut."""

Model = str | Path | SeparationModel
Progress = Callable[[int, int], None]
"""Called with (segments done, segments in all) after every segment; in all is 0 while the length is not known."""

Item = TypeVar("Item")


class Separator:
    """Splits songs into the stems of a model. One object may be used from several threads at once.

    Args:
        model: name of a shipped model, path of a checkpoint, or a model; several are averaged. By default the
            shipped default.
        device: `auto` (the first of CUDA, MPS, CPU that is there) or a torch device's name.
        segment: seconds that the model hears at once; by default what the model was trained with.
        overlap: part of a segment shared with the next, 0 to 0.95; by default the model's.
        shifts: average the stems over this many runs, each shifted in time by up to 0.5 s at random; 0 is one
            run, unshifted.
        seed: of the shifts. The same input, options and device give the same bytes.
        weights: of several models in the average, one number each; by default all equal.
        precision: `fp32`, `bf16` or `fp16` of the convolutions and matrix products; `auto` is bf16 where the device
            is quick at it.
        batch: segments that the model gets at once; by default 1 on a CPU, 4 elsewhere. Halved when memory runs out.

    Raises:
        UserError: unknown model or device, bad checkpoint, or an option out of its range.
    """

    def __init__(
        self,
        model: Model | Sequence[Model] | None = None,
        device: str = "auto",
        segment: float | None = None,
        overlap: float | None = None,
        shifts: int = 0,
        seed: int = 0,
        weights: Sequence[float] | None = None,
        precision: str = "fp32",
        batch: int | None = None,
    ) -> None:
        _check_options(segment, overlap, shifts, batch)
        self.device = choose_device(device)
        if self.device.type == "cpu":
            check_openmp(torch.get_num_threads())
        models = [_load(m, segment).to(self.device).eval() for m in _listed(model)]
        if precision == "auto" and any(getattr(network, "full_precision", False) for network in models):
            precision = "fp32"
        dtype = choose_precision(precision, self.device)
        self.model: SeparationModel = models[0]
        self.sources: tuple[str, ...] = tuple(self.model.sources)
        self.shifts = shifts
        self.seed = seed
        self.batch = batch or (1 if self.device.type == "cpu" else 4)
        self._voices = _voices(models, weights, segment, overlap)
        self.precision = dtype
        self._estimate = Estimator(self.device, dtype)

    @property
    def segment_seconds(self) -> float:
        """Seconds of a song by which one segment brings it forward, for progress: runs over it share them."""
        hops = [segment_hop(voice.segment, voice.overlap) / self.model.samplerate for voice in self._voices]
        return 1 / sum(len(self._offsets()) / hop for hop in hops)

    def latency(self, sample_rate: int) -> int:
        """How many samples `stream` reads at most, at `sample_rate` Hz, beyond those it has given back.

        That is one segment (of the model with the longest), times the segments that share a batch, and the delays of
        resampling. The caller's own block comes on top.
        """
        rate = self.model.samplerate
        longest = max(voice.segment for voice in self._voices) * self.batch
        delay = 0 if sample_rate == rate else 2 * DELAY * max(1.0, sample_rate / rate)
        return round(longest * sample_rate / rate + delay) + 1

    def separate_file(
        self, path: str | Path, progress: Progress | None = None, cancel: Event | None = None
    ) -> dict[str, Tensor]:
        """Separate an audio or video file; returns stems `(C, T)` as `separate` does, at the file's own rate.

        Raises:
            UserError: the file cannot be read (see `htdemucs_n.audio.read_audio`), or as `separate`.
        """
        audio = read_audio(path)
        return self.separate(torch.from_numpy(audio.samples), audio.sample_rate, progress, cancel)

    def separate(
        self, mixture: Tensor, sample_rate: int, progress: Progress | None = None, cancel: Event | None = None
    ) -> dict[str, Tensor]:
        """Separate `mixture` `(C, T)` at `sample_rate` Hz, any C and T from 1 up.

        The stems are float32, on the CPU, at the same rate and length; they add up to the mixture. Mono gives
        mono stems, stereo stereo ones; more channels (WAVE order) are first mixed down to stereo, and the
        stereo stems add up to that (`htdemucs_n.separation.channels.to_stereo`).

        Shape: returns one `(C, T)` a stem, C at most 2.

        Raises:
            UserError: NaN or infinite samples, not enough memory, or a model that puts out NaN.
            Cancelled: `cancel` was set; it is looked at before every segment.
            ValueError: not two dimensions, an empty one, or a sample rate below 1.
        """
        if mixture.ndim != 2 or not mixture.numel() or sample_rate < 1:
            raise ValueError(f"separate takes (C, T) at a rate in Hz, not {tuple(mixture.shape)} at {sample_rate}")
        length = mixture.shape[1]
        whole = {source: torch.empty(min(2, mixture.shape[0]), length) for source in self.sources}
        start = 0
        for block in self.stream([mixture], sample_rate, length, progress, cancel):
            for source, samples in block.items():
                whole[source][:, start : start + samples.shape[1]] = samples
            start += samples.shape[1]
        return whole

    def stream(
        self,
        blocks: Iterable[Tensor],
        sample_rate: int,
        length: int | None = None,
        progress: Progress | None = None,
        cancel: Event | None = None,
    ) -> Iterator[dict[str, Tensor]]:
        """Separate a stream of blocks `(C, n)` at `sample_rate` Hz, each of any n, as they come.

        Yields blocks of stems, `(C, m)` a stem as `separate` describes them; m differs from block to block. Put
        together they are bit for bit what `separate` makes of the whole, and as long. What comes out lags behind
        what went in by `latency(sample_rate)` samples and the caller's block at most.

        `length` is the number of samples to come, for `progress` alone, where it is known.

        Raises:
            UserError, Cancelled: as `separate`.
            ValueError: a block that is not `(C, n)`, or whose C differs from the first one's.
        """
        mixture = _Shelf()
        tick = self._ticker(sample_rate, length, progress)
        estimate = self._estimate.bound(tick, cancel)
        rate = self.model.samplerate
        pieces = (piece.numpy() for piece in mixture.shelve(_stereo_pieces(blocks, mixture)))
        heard = (torch.from_numpy(block) for block in resample_blocks(pieces, sample_rate, rate))
        separated = run_all(self._voices, self._offsets(), heard, estimate, self.batch)
        flat = (stems.flatten(0, 1).numpy() for stems in separated)
        for block in resample_blocks(flat, rate, sample_rate):
            stems = torch.from_numpy(np.ascontiguousarray(block)).unflatten(0, (len(self.sources), 2))
            yield from self._complete(stems, mixture)
        if mixture.length:  # the way through the model's rate and back can be a sample short
            yield from self._complete(torch.zeros(len(self.sources), 2, mixture.length), mixture)

    def _complete(self, stems: Tensor, mixture: _Shelf) -> Iterator[dict[str, Tensor]]:
        """Make stems `(S, 2, n)` add up to the next n samples of the mixture."""
        heard = mixture.take(stems.shape[-1])  # shorter than asked for at the end
        if not (length := heard.shape[-1]):
            return
        stems = stems[..., :length]
        # What the stems lack of the mixture, for any reason (the model, a constant offset, frequencies above
        # the model's), is given to all in equal parts: the least change that makes them add up.
        stems += (heard - stems.sum(0)) / len(stems)
        if not stems.isfinite().all():
            raise UserError("the model puts out NaN or infinite samples: its checkpoint is damaged, use another")
        if mixture.mono:
            stems = stems.mean(1, keepdim=True)
        yield dict(zip(self.sources, stems, strict=True))

    def _ticker(self, sample_rate: int, length: int | None, progress: Progress | None) -> Callable[[int], None]:
        """A function to be called with the number of segments just done."""
        done = total = 0
        if length is not None:
            heard = max(1, round(length * self.model.samplerate / sample_rate))
            total = sum(
                segment_count(heard + offset, voice.segment, voice.overlap)
                for voice in self._voices
                for offset in self._offsets()
            )

        def tick(segments: int) -> None:
            nonlocal done
            done += segments
            if progress:
                progress(done, max(done, total) if total else 0)  # a length can be wrong

        return tick

    def _offsets(self) -> list[int]:
        """Samples of silence put before the mixture, one number a run."""
        if not self.shifts:
            return [0]
        rng = random.Random(self.seed)
        return [rng.randint(0, round(_MAX_SHIFT * self.model.samplerate)) for _ in range(self.shifts)]


class _Shelf:
    """The mixture `(2, n)`, kept until its stems are there."""

    def __init__(self) -> None:
        self.pieces: list[Tensor] = []
        self.length = 0
        self.mono = False

    def shelve(self, pieces: Iterable[Tensor]) -> Iterator[Tensor]:
        """Keep every piece that passes."""
        for piece in pieces:
            self.pieces.append(piece)
            self.length += piece.shape[1]
            yield piece

    def take(self, length: int) -> Tensor:
        """The next `length` samples, or as many as there are."""
        taken = []
        while length > 0 and self.pieces:
            piece = self.pieces[0][:, :length]
            taken.append(piece)
            length -= piece.shape[1]
            self.length -= piece.shape[1]
            rest = self.pieces.pop(0)[:, piece.shape[1] :]
            if rest.shape[1]:
                self.pieces.insert(0, rest)
        return torch.cat(taken, dim=1) if taken else torch.empty(2, 0)


def _stereo_pieces(blocks: Iterable[Tensor], mixture: _Shelf) -> Iterator[Tensor]:
    """Blocks `(C, n)` of any type as float32 stereo pieces `(2, n)` on the CPU, n at most `_BLOCK`."""
    channels = None
    for block in blocks:
        if block.ndim != 2 or not block.shape[0] or channels not in (None, block.shape[0]):
            raise ValueError(f"stream takes blocks (C, n) of one C, not {tuple(block.shape)}")
        channels = block.shape[0]
        mixture.mono = channels == 1
        for piece in block.detach().split(_BLOCK, dim=1):
            if not piece.isfinite().all():
                raise UserError("the audio holds NaN or infinite samples: clean it first")
            yield to_stereo(piece.to("cpu", torch.float32))


def _check_options(segment: float | None, overlap: float | None, shifts: int, batch: int | None) -> None:
    if segment is not None and not 0 < segment < float("inf"):
        raise UserError(f"segment is {segment:g}: it takes a number of seconds above 0")
    if overlap is not None and not 0 <= overlap <= _MAX_OVERLAP:
        raise UserError(f"overlap is {overlap:g}: it takes a fraction from 0 to {_MAX_OVERLAP:g}")
    if shifts < 0:
        raise UserError(f"shifts is {shifts}: it takes 0 or more")
    if batch is not None and batch < 1:
        raise UserError(f"batch is {batch}: it takes 1 or more")


def _listed(model: Model | Sequence[Model] | None) -> Sequence[Model | None]:
    return model if isinstance(model, Sequence) and not isinstance(model, str) else [model]


def _load(model: Model | None, segment: float | None) -> SeparationModel:
    """Load a model by name or path, for segments of so many seconds where it is told."""
    if model is not None and not isinstance(model, str | Path):
        return model
    from htdemucs_n.models.registry import DEFAULT_MODEL, load_model  # not needed to run a model of one's own

    network = load_model(model or DEFAULT_MODEL)
    if segment is not None:
        network.segment = segment  # or it would pad shorter ones to those of its training, and take as much memory
    return network


def _voices(
    models: Sequence[SeparationModel], weights: Sequence[float] | None, segment: float | None, overlap: float | None
) -> list[Voice]:
    """The models as parts of one average. Raises `UserError` where they cannot be averaged."""
    first = models[0]
    for model in models[1:]:
        if (tuple(model.sources), model.samplerate) != (tuple(first.sources), first.samplerate):
            raise UserError(
                "models that are averaged need the same stems in one order and one sample rate, not "
                f"{', '.join(first.sources)} at {first.samplerate} Hz and "
                f"{', '.join(model.sources)} at {model.samplerate} Hz"
            )
    counts = list(weights) if weights is not None else [1.0] * len(models)
    if len(counts) != len(models) or min(counts) < 0 or not 0 < sum(counts) < float("inf"):
        raise UserError(f"weights are {counts}: give one number for each of the {len(models)} models, not below 0")
    for model in models:
        longest = getattr(model, "max_segment", float("inf"))  # of the official transformers
        if segment is not None and segment > longest:
            raise UserError(f"segment is {segment:g}: this model takes {longest:g} seconds at most")
    return [
        Voice(
            model,
            count / sum(counts),
            max(1, round((segment or model.segment) * model.samplerate)),
            model.overlap if overlap is None else overlap,
        )
        for model, count in zip(models, counts, strict=True)
    ]
