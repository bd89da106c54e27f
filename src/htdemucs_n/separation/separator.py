"""Separate songs of any rate, length and channel count with a model that hears stereo at one rate.

file -> (C, T) -> stereo -> model's rate -> normalise -> segments -> model -> overlap-add (S, 2, T')
     -> undo normalisation -> input's rate (S, 2, T) -> spread what is missing of the mixture over the stems
     -> mono again if the input was
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from htdemucs_n.audio import read_audio, resample
from htdemucs_n.errors import UserError
from htdemucs_n.separation.channels import to_stereo
from htdemucs_n.separation.device import choose_device
from htdemucs_n.separation.overlap_add import overlap_add, segment_starts

_MAX_OVERLAP = 0.95
_MAX_SHIFT = 0.5
"""Largest random shift, seconds."""


class SeparationModel(Protocol):
    """What a model must have: any `torch.nn.Module` with these names will do."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output."""

    @property
    def samplerate(self) -> int:
        """Hz."""

    @property
    def segment(self) -> float:
        """Seconds that the model was trained on."""

    @property
    def overlap(self) -> float:
        """Part of a segment that the model's segments share by default."""

    def __call__(self, mixture: Tensor) -> Tensor:
        """`(B, 2, T)` to `(B, S, 2, T)`, any T from 1 to the segment in use."""

    def to(self, device: torch.device) -> Any:
        """As `torch.nn.Module.to`."""

    def eval(self) -> Any:
        """As `torch.nn.Module.eval`."""


class Separator:
    """Splits songs into the stems of a model.

    Args:
        model: name of a shipped model, path of a checkpoint, or a model; by default the shipped default.
        device: `auto` (the first of CUDA, MPS, CPU that is there) or a torch device's name.
        segment: seconds that the model hears at once; by default what the model was trained with.
        overlap: part of a segment shared with the next, 0 to 0.95; by default the model's.
        shifts: average the stems over this many runs, each shifted in time by up to 0.5 s at random; 0 is one
            run, unshifted.
        seed: of the shifts. The same input, options and device give the same bytes.
        progress: called with (segments done, segments in all) after every segment.

    Raises:
        UserError: unknown model or device, bad checkpoint, or an option out of its range.
    """

    def __init__(
        self,
        model: str | Path | SeparationModel | None = None,
        device: str = "auto",
        segment: float | None = None,
        overlap: float | None = None,
        shifts: int = 0,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        if segment is not None and not 0 < segment < float("inf"):
            raise UserError(f"segment is {segment:g}: it takes a number of seconds above 0")
        if overlap is not None and not 0 <= overlap <= _MAX_OVERLAP:
            raise UserError(f"overlap is {overlap:g}: it takes a fraction from 0 to {_MAX_OVERLAP:g}")
        if shifts < 0:
            raise UserError(f"shifts is {shifts}: it takes 0 or more")
        self.device = choose_device(device)
        self.model: SeparationModel = _load(model).to(self.device).eval()
        self.sources: tuple[str, ...] = tuple(self.model.sources)
        self.segment = max(1, round((segment or self.model.segment) * self.model.samplerate))  # samples
        self.overlap = self.model.overlap if overlap is None else overlap
        self.shifts = shifts
        self.seed = seed
        self.progress = progress

    def separate_file(self, path: str | Path) -> dict[str, Tensor]:
        """Separate an audio or video file; returns stems `(C, T)` as `separate` does, at the file's own rate.

        Raises:
            UserError: the file cannot be read (see `htdemucs_n.audio.read_audio`), or as `separate`.
        """
        audio = read_audio(path)
        return self.separate(torch.from_numpy(audio.samples), audio.sample_rate)

    def separate(self, mixture: Tensor, sample_rate: int) -> dict[str, Tensor]:
        """Separate `mixture` `(C, T)` at `sample_rate` Hz, any C and T from 1 up.

        The stems are float32, on the CPU, at the same rate and length; they add up to the mixture. Mono gives
        mono stems, stereo stereo ones; more channels (WAVE order) are first mixed down to stereo, and the
        stereo stems add up to that (`htdemucs_n.separation.channels.to_stereo`).

        Shape: returns one `(C, T)` a stem, C at most 2.

        Raises:
            UserError: NaN or infinite samples, not enough memory, or a model that puts out NaN.
            ValueError: not two dimensions, an empty one, or a sample rate below 1.
        """
        if mixture.ndim != 2 or not mixture.numel() or sample_rate < 1:
            raise ValueError(f"separate takes (C, T) at a rate in Hz, not {tuple(mixture.shape)} at {sample_rate}")
        if not mixture.isfinite().all():
            raise UserError("the audio holds NaN or infinite samples: clean it first")
        mono = mixture.shape[0] == 1
        mixture = to_stereo(mixture.detach().to("cpu", torch.float32))  # (2, T)
        heard = _resample(mixture, sample_rate, self.model.samplerate)
        try:
            stems = self._run(heard)  # (S, 2, T')
        except (MemoryError, torch.cuda.OutOfMemoryError):
            raise UserError(f"not enough memory on {self.device}: use a smaller segment, or the device cpu") from None
        length = mixture.shape[-1]
        stems = _resample(stems.flatten(0, 1), self.model.samplerate, sample_rate, length)
        stems = stems.view(-1, 2, length)
        # What the stems lack of the mixture, for any reason (the model, a constant offset, frequencies above
        # the model's), is given to all in equal parts: the least change that makes them add up.
        stems += (mixture - stems.sum(0)) / len(stems)
        if not stems.isfinite().all():
            raise UserError("the model puts out NaN or infinite samples: its checkpoint is damaged, use another")
        if mono:
            stems = stems.mean(1, keepdim=True)
        return dict(zip(self.sources, stems, strict=True))

    def _run(self, mixture: Tensor) -> Tensor:
        """Normalise `(2, T)`, separate, undo, at the model's rate: `(S, 2, T)`."""
        # Over both channels: the mono sum of anti-phase stereo (L = -R) is silent, and would have no level.
        level, mean = (float(x) for x in torch.std_mean(mixture.double(), correction=0))
        if level < torch.finfo(torch.float32).tiny:  # silence, or too near to divide by
            return mixture.new_zeros(len(self.sources), *mixture.shape)
        normalised = (mixture - mean) / level

        offsets = self._offsets()
        lengths = [mixture.shape[-1] + offset for offset in offsets]
        total = sum(len(segment_starts(length, self.segment, self.overlap)) for length in lengths)
        done = 0

        def on_segment() -> None:
            nonlocal done
            done += 1
            if self.progress:
                self.progress(done, total)

        def run(offset: int) -> Tensor:
            shifted = pad(normalised, (offset, 0))
            stems = overlap_add(self.model, shifted, self.segment, self.overlap, self.device, on_segment)
            return stems[..., offset:]

        stems = run(offsets[0])
        for offset in offsets[1:]:
            stems += run(offset)
        return stems.mul_(level / len(offsets))

    def _offsets(self) -> list[int]:
        """Samples of silence put before the mixture, one number a run."""
        if not self.shifts:
            return [0]
        rng = random.Random(self.seed)
        return [rng.randint(0, round(_MAX_SHIFT * self.model.samplerate)) for _ in range(self.shifts)]


def _load(model: str | Path | SeparationModel | None) -> SeparationModel:
    """Load a model by name or path."""
    if model is not None and not isinstance(model, str | Path):
        return model
    from htdemucs_n.models.registry import DEFAULT_MODEL, load_model  # not needed to run a model of one's own

    return load_model(model or DEFAULT_MODEL)


def _resample(samples: Tensor, old_rate: int, new_rate: int, length: int | None = None) -> Tensor:
    """Resample `(C, T)` to `(C, length)`; see `htdemucs_n.audio.resample`."""
    return torch.from_numpy(resample(samples.numpy(), old_rate, new_rate, length))
