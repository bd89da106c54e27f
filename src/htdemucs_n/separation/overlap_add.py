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

import torch
from torch import Tensor


def segment_hop(segment: int, overlap: float) -> int:
    """Samples from one segment's place to the next; neighbours share `overlap` of a segment."""
    return max(1, round(segment * (1 - overlap)))


def segment_count(length: int, segment: int, overlap: float) -> int:
    """How many segments a signal of `length` samples has."""
    return 1 + max(0, -(-(length - segment) // segment_hop(segment, overlap)))


@dataclass(frozen=True, eq=False)
class Segment:
    """What the model gets, `samples` `(C, t)`; the first `skip` of them are context, not to be joined."""

    samples: Tensor
    skip: int


class Cutter:
    """Cuts blocks of any size into segments of `segment` samples, a hop apart.

    Only a signal shorter than a segment gives a shorter one.
    """

    def __init__(self, segment: int, overlap: float) -> None:
        self._segment = segment
        self._hop = segment_hop(segment, overlap)
        self._kept = torch.empty(0, dtype=torch.float32, device="cpu")  # (C, n): from the last cut segment's place on
        self._next = 0  # place of the next segment in `_kept`

    def cut(self, block: Tensor) -> list[Segment]:
        """Take `(C, n)`; returns the segments that are complete."""
        self._kept = torch.cat([self._kept, block], dim=1) if self._kept.numel() else block
        segments = []
        while self._kept.shape[1] >= self._next + self._segment:
            self._kept = self._kept[:, self._next :]
            segments.append(Segment(self._kept[:, : self._segment], 0))
            self._next = self._hop
        if segments:
            self._kept = self._kept.clone()  # a copy, so that the blocks it was a view of are freed
        return segments

    def end(self) -> list[Segment]:
        """The last segment, if samples are left that none has covered."""
        length = self._kept.shape[-1]
        if length == 0 or (self._next and length == self._segment):
            return []
        start = max(0, length - self._segment)
        return [Segment(self._kept[:, start:], self._next - start)]


class Joiner:
    """Joins the estimates of a `Cutter`'s segments, in their order."""

    def __init__(self, segment: int, overlap: float) -> None:
        self._hop = segment_hop(segment, overlap)
        ramp = torch.arange(1, segment + 1, dtype=torch.float32, device="cpu")
        self._triangle = torch.minimum(ramp, ramp.flip(0)) / segment  # never zero: it can be divided by
        self._tail = torch.empty(0, dtype=torch.float32, device="cpu")  # (S, C, n): weighted sum, not final
        self._weight = torch.empty(0, dtype=torch.float32, device="cpu")  # (n,)

    def join(self, estimate: Tensor, skip: int) -> Tensor:
        """Take a segment's estimate `(S, C, t)`, which is overwritten; returns what is now final, `(S, C, hop)`."""
        weight = self._triangle[: estimate.shape[-1] - skip].clone()
        total = estimate[..., skip:].mul_(weight)
        reach = self._weight.shape[0]
        if reach:
            total[..., :reach] += self._tail
            weight[:reach] += self._weight
        self._tail, self._weight = total[..., self._hop :].clone(), weight[self._hop :]
        return total[..., : self._hop].div_(weight[: self._hop])

    def end(self) -> Tensor:
        """What the last segment left, `(S, C, n)`."""
        return self._tail / self._weight
