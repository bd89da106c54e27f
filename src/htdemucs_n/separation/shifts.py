"""One model over one stream at several shifts in time, averaged.

A run separates the mixture after some silence, so that its segments lie elsewhere. The result is the mean of all runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.separation.overlap_add import Cutter, Joiner, Segment

Estimate = Callable[[Sequence[NDArray[np.float32]]], Iterable[NDArray[np.float32]]]
"""Segments `(2, t)` to their stems `(S, 2, t)`, in order, which may be overwritten."""


class ShiftedRun:
    """The segments of one shift and the stems joined from them, without those of the `offset` samples of silence."""

    def __init__(self, segment: int, overlap: float, offset: int) -> None:
        self.cutter = Cutter(segment, overlap)
        self.joiner = Joiner(segment, overlap)
        self.silence = offset
        self._done: list[NDArray[np.float32]] = []

    def append(self, stems: NDArray[np.float32]) -> None:
        """Store stems `(S, C, n)` that are final."""
        dropped = min(self.silence, stems.shape[-1])
        self.silence -= dropped
        self._done.append(stems[..., dropped:])

    def take(self, length: int) -> NDArray[np.float32]:
        """Remove and return the first `length` samples of what is stored, `(S, C, length)`."""
        stems = np.concatenate(self._done, axis=-1) if len(self._done) > 1 else self._done[0]
        self._done = [stems[..., length:].copy()]
        return stems[..., :length]

    @property
    def ready(self) -> int:
        """Number of samples stored."""
        return sum(stems.shape[-1] for stems in self._done)


def separate_shifted(
    blocks: Iterable[NDArray[np.float32]],
    segment: int,
    overlap: float,
    offsets: Sequence[int],
    estimate: Estimate,
    batch: int,
) -> Iterator[NDArray[np.float32]]:
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

    def averaged() -> Iterator[NDArray[np.float32]]:
        if length := min(run.ready for run in runs):
            mean, *others = (run.take(length) for run in runs)
            if others:
                mean *= 1 / len(runs)
            for stems in others:
                stems *= 1 / len(runs)
                mean += stems
            yield mean

    first = True
    for block in blocks:
        for run in runs:
            if first and run.silence:
                waiting += [(run, part) for part in run.cutter.cut(np.zeros((len(block), run.silence), np.float32))]
            waiting += [(run, part) for part in run.cutter.cut(block)]
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
