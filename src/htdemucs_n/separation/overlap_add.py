"""Cut a stream into overlapping segments and join the estimates of a model for them, in memory that does not grow.

Each segment is weighted by a triangle, which weighs the middle of a segment (context on both sides) more than its
edges, divided at every sample by the sum of the triangles there. So the weights sum to one at every sample,
whatever the length, the segment and the overlap; where two segments meet it is a linear cross-fade.

    segment 1   /\\
    segment 2      /\\
    segment 3      ..|/\\      the last: it starts at `..`, so that it is full, but is joined from its own place `|` on

What lies before the place of the next segment can no longer change and is returned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def segment_hop(segment: int, overlap: float) -> int:
    """Samples from one segment's place to the next; neighbours share `overlap` of a segment."""
    return max(1, round(segment * (1 - overlap)))


def segment_count(length: int, segment: int, overlap: float) -> int:
    """How many segments a signal of `length` samples has."""
    return 1 + max(0, -(-(length - segment) // segment_hop(segment, overlap)))


@dataclass(frozen=True, eq=False)
class Segment:
    """What the model gets, `samples` `(C, t)`; the first `skip` of them are context, not to be joined."""

    samples: NDArray[np.float32]
    skip: int


class Cutter:
    """Cuts blocks of any size into segments of `segment` samples, a hop apart.

    Only a signal shorter than a segment gives a shorter one.
    """

    def __init__(self, segment: int, overlap: float) -> None:
        self._segment = segment
        self._hop = segment_hop(segment, overlap)
        self._kept: list[NDArray[np.float32]] = []  # (C, n) each: from the last cut segment's place on
        self._length = 0  # of all of them
        self._next = 0  # place of the next segment in them

    def cut(self, block: NDArray[np.float32]) -> list[Segment]:
        """Take `(C, n)`, which must not change before its segments are done; returns the segments that are complete."""
        self._kept.append(block)
        self._length += block.shape[1]
        if self._length < self._next + self._segment:
            return []
        kept, segments = np.concatenate(self._kept, axis=1), []
        while kept.shape[1] >= self._next + self._segment:
            kept = kept[:, self._next :]
            segments.append(Segment(kept[:, : self._segment], 0))
            self._next = self._hop
        self._kept, self._length = [kept.copy()], kept.shape[1]  # a copy, so that what was before it is freed
        return segments

    def end(self) -> list[Segment]:
        """The last segment, if samples are left that none has covered."""
        if self._length in (0, self._segment):  # a whole segment was cut when its last sample came
            return []
        start = max(0, self._length - self._segment)
        return [Segment(np.concatenate(self._kept, axis=1)[:, start:], self._next - start)]


class Joiner:
    """Joins the estimates of a `Cutter`'s segments, in their order."""

    def __init__(self, segment: int, overlap: float) -> None:
        self._hop = segment_hop(segment, overlap)
        ramp = np.arange(1, segment + 1, dtype=np.float32)
        self._triangle: NDArray[np.float32] = np.minimum(ramp, ramp[::-1])
        self._triangle /= segment  # never zero: it can be divided by
        self._tail: NDArray[np.float32] = np.empty(0, np.float32)  # (S, C, n): weighted sum, not final
        self._weight: NDArray[np.float32] = np.empty(0, np.float32)  # (n,)

    def join(self, estimate: NDArray[np.float32], skip: int) -> NDArray[np.float32]:
        """Take a segment's estimate `(S, C, t)`, which is overwritten; returns what is now final, `(S, C, hop)`."""
        weight = self._triangle[: estimate.shape[-1] - skip].copy()
        total = estimate[..., skip:]
        total *= weight
        reach = self._weight.shape[0]
        if reach:
            total[..., :reach] += self._tail
            weight[:reach] += self._weight
        self._tail, self._weight = total[..., self._hop :].copy(), weight[self._hop :]
        final = total[..., : self._hop]
        final /= weight[: self._hop]
        return final

    def end(self) -> NDArray[np.float32]:
        """What the last segment left, `(S, C, n)`."""
        return self._tail / self._weight
