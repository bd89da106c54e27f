"""One model over one stream at several shifts in time, averaged.

A run separates the mixture after some silence, so that its segments lie elsewhere. The result is the mean of all runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor

from htdemucs_n.separation.overlap_add import Cutter, Joiner, Segment

Estimate = Callable[[Sequence[Tensor]], Iterable[Tensor]]
"""Segments `(2, t)` to their stems `(S, 2, t)`, in order, on the CPU."""


class ShiftedRun:
    """The segments of one shift and the stems joined from them, without those of the `offset` samples of silence."""

    def __init__(self, segment: int, overlap: float, offset: int) -> None:
        self.cutter = Cutter(segment, overlap)
        self.joiner = Joiner(segment, overlap)
        self.silence = offset
        self._done: list[Tensor] = []

    def append(self, stems: Tensor) -> None:
        """Store stems `(S, C, n)` that are final."""
        dropped = min(self.silence, stems.shape[-1])
        self.silence -= dropped
        self._done.append(stems[..., dropped:])

    def take(self, length: int) -> Tensor:
        """Remove and return the first `length` samples of what is stored, `(S, C, length)`."""
        stems = torch.cat(self._done, dim=-1) if len(self._done) > 1 else self._done[0]
        self._done = [stems[..., length:].clone()]
        return stems[..., :length]

    @property
    def ready(self) -> int:
        """Number of samples stored."""
        return sum(stems.shape[-1] for stems in self._done)


def separate_shifted(
    blocks: Iterable[Tensor], segment: int, overlap: float, offsets: Sequence[int], estimate: Estimate, batch: int
) -> Iterator[Tensor]:
    """Separate a stream of blocks `(2, n)` into blocks `(S, 2, m)`, averaged over runs at `offsets` (samples).

    `estimate` gets up to `batch` segments of `segment` samples at once.
    """
    runs = [ShiftedRun(segment, overlap, offset) for offset in offsets]
    waiting: list[tuple[ShiftedRun, Segment]] = []

    def estimate_all_but(remaining: int) -> None:
        while len(waiting) > remaining:
            shape = waiting[0][1].samples.shape
            same = [entry for entry in islice(waiting, batch) if entry[1].samples.shape == shape]
            for entry in same:
                waiting.remove(entry)
            estimates = estimate([part.samples for _, part in same])
            for (run, part), stems in zip(same, estimates, strict=True):
                run.append(run.joiner.join(stems, part.skip))

    def averaged() -> Iterator[Tensor]:
        if length := min(run.ready for run in runs):
            parts = [run.take(length).mul_(1 / len(offsets)) for run in runs]
            for part in parts[1:]:
                parts[0] += part
            yield parts[0]

    first = True
    for block in blocks:
        for run in runs:
            shifted = torch.cat([block.new_zeros(block.shape[0], run.silence), block], dim=1) if first else block
            waiting += [(run, part) for part in run.cutter.cut(shifted)]
        first = False
        estimate_all_but(batch - 1)
        yield from averaged()
    for run in runs:
        waiting += [(run, part) for part in run.cutter.end()]
    estimate_all_but(0)
    for run in runs:
        if not first:
            run.append(run.joiner.end())
    yield from averaged()
