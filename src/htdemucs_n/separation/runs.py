"""Every model at every shift over one stream, averaged.

A run is one model over the mixture, delayed by some silence: it has its own segments. What comes out is the mean over
the shifts, and the weighted mean over the models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor

from htdemucs_n.separation.overlap_add import Cutter, Joiner, Segment


class SeparationModel(Protocol):
    """What a model must have: any `torch.nn.Module` with these names will do."""

    @property
    def sources(self) -> Sequence[str]:
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


@dataclass(frozen=True, eq=False)
class Voice:
    """A model and what it counts in the average: the weights of all voices sum to 1; `segment` in samples."""

    model: SeparationModel
    weight: float
    segment: int
    overlap: float


class Run:
    """One voice, its segments and what is joined of them; the first `offset` samples out are dropped."""

    def __init__(self, voice: Voice, offset: int) -> None:
        self.voice = voice
        self.cutter = Cutter(voice.segment, voice.overlap)
        self.joiner = Joiner(voice.segment, voice.overlap)
        self.drop = offset
        self.done: list[Tensor] = []

    def keep(self, stems: Tensor) -> None:
        """Put by what is final, `(S, C, n)`."""
        dropped = min(self.drop, stems.shape[-1])
        self.drop -= dropped
        self.done.append(stems[..., dropped:])

    def take(self, length: int) -> Tensor:
        """Hand out the first `length` samples that were put by."""
        stems = torch.cat(self.done, dim=-1) if len(self.done) > 1 else self.done[0]
        self.done = [stems[..., length:].clone()]
        return stems[..., :length]

    @property
    def ready(self) -> int:
        """Samples put by."""
        return sum(stems.shape[-1] for stems in self.done)


Estimate = Callable[[SeparationModel, Sequence[Tensor]], Iterable[Tensor]]
"""A model and segments `(2, t)` to their estimates `(S, 2, t)`, in order, on the CPU."""


def run_all(
    voices: Sequence[Voice], offsets: Sequence[int], blocks: Iterable[Tensor], estimate: Estimate, batch: int
) -> Iterator[Tensor]:
    """Separate a stream of blocks `(2, n)` into blocks `(S, 2, m)`; `batch` segments wait for each other."""
    runs = [Run(voice, offset) for voice in voices for offset in offsets]
    waiting: list[tuple[Run, Segment]] = []

    def separate(number: int) -> None:
        while len(waiting) >= number > 0:
            run = waiting[0][0]  # segments of one model can share a batch
            same = [entry for entry in islice(waiting, batch) if entry[0].voice is run.voice]
            same = [entry for entry in same if entry[1].samples.shape == same[0][1].samples.shape]
            for entry in same:
                waiting.remove(entry)
            estimates = estimate(run.voice.model, [segment.samples for _, segment in same])
            for (owner, segment), stems in zip(same, estimates, strict=True):
                owner.keep(owner.joiner.join(stems, segment.skip))

    def finished() -> Iterator[Tensor]:
        if length := min(run.ready for run in runs):
            parts = [run.take(length).mul_(run.voice.weight / len(offsets)) for run in runs]
            for part in parts[1:]:
                parts[0] += part
            yield parts[0]

    first = True
    for block in blocks:
        for run in runs:
            late = torch.cat([block.new_zeros(block.shape[0], run.drop), block], dim=1) if first else block
            waiting += [(run, segment) for segment in run.cutter.cut(late)]
        first = False
        separate(batch)
        yield from finished()
    for run in runs:
        waiting += [(run, segment) for segment in run.cutter.end()]
    separate(1)
    for run in runs:
        if not first:
            run.keep(run.joiner.end())
    yield from finished()
