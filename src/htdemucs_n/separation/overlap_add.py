"""Run a model over a long signal in overlapping segments and join the results.

Each segment is weighted by a triangle, which trusts a segment's middle (context on both sides) more than its
edges, divided at every sample by the sum of the triangles there. So the weights sum to one at every sample,
whatever the length, the segment and the overlap; where two segments meet it is a linear cross-fade.

    segment 1   /\\
    segment 2      /\\
    segment 3        /\\    <- moved back to end with the signal: every segment is full
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def segment_starts(length: int, segment: int, overlap: float) -> list[int]:
    """First sample of every segment of a signal of `length` samples; neighbours share `overlap` of one."""
    hop = max(1, round(segment * (1 - overlap)))
    return [*range(0, length - segment, hop), max(0, length - segment)]


def overlap_add(
    model: Callable[[Tensor], Tensor],
    mixture: Tensor,
    segment: int,
    overlap: float,
    device: torch.device,
    on_segment: Callable[[], None],
) -> Tensor:
    """Separate `mixture` `(C, T)` by `model`, which maps `(1, C, t)` to `(1, S, C, t)`, t up to `segment`.

    `segment` is in samples, `overlap` a fraction of it. The model gets its segments on `device`, the joined
    stems stay on the CPU. `on_segment` is called after every segment.

    Shape: returns `(S, C, T)`, T >= 1.
    """
    length = mixture.shape[-1]
    starts = segment_starts(length, segment, overlap)
    triangle = _triangle(min(segment, length))
    total = torch.zeros(length)  # (T,)
    for start in starts:
        total[start : start + segment] += triangle

    stems = mixture.new_zeros(())
    for start in starts:
        piece = slice(start, start + segment)
        with torch.inference_mode():
            estimate = model(mixture[None, :, piece].to(device))[0].cpu()  # (S, C, t)
        if not stems.ndim:
            stems = mixture.new_zeros(*estimate.shape[:-1], length)
        stems[..., piece] += estimate * (triangle / total[piece])
        on_segment()
    return stems


def _triangle(length: int) -> Tensor:
    """1, 2, ..., peak, ..., 2, 1 `(length,)`: never zero, so that it can be divided by."""
    ramp = torch.arange(1.0, length + 1)
    return torch.minimum(ramp, ramp.flip(0))
