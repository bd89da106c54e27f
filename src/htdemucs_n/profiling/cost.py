"""Parameters and FLOPs of a model by part, for one segment.

Convolutions and matrix products are counted by torch's `FlopCounterMode`, two FLOPs a multiply-accumulate. FFTs, which
it does not count, are counted apart by the usual formula, 2.5 N log2 N for a real transform of N samples. Elementwise
work is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from htdemucs_n.models.ensemble import Ensemble
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from htdemucs_n.profiling.parts import Meter, parameters_by_part

_ATEN = torch.ops.aten
_FFTS = (_ATEN._fft_r2c, _ATEN._fft_c2r, _ATEN._fft_c2c)


@dataclass(frozen=True)
class Cost:
    """Parameters and FLOPs by part, and the FLOPs of all FFTs, by formula."""

    parameters: dict[str, int]
    flops: dict[str, int]
    fft_flops: int


def count_cost(model: nn.Module, samples: int) -> Cost:
    """Count one stereo segment of `samples` samples through `model`, which is on the CPU, in float32."""
    counter = FlopCounterMode(display=False, custom_mapping=_mapping())

    def fft_flops() -> int:
        counts = counter.get_flop_counts().get("Global", {})
        return sum(int(counts.get(op, 0)) for op in _FFTS)

    meter = Meter(model, lambda: counter.get_total_flops() - fft_flops())
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not count torch's fused attention
    try:
        with torch.no_grad(), counter, meter.attached():
            model(torch.zeros(1, 2, samples))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    flops = {part: round(total) for part, total in meter.totals.items()}
    return Cost(parameters_by_part(_as_trained(model)), flops, fft_flops())


def real_fft_flops(size: int) -> float:
    """FLOPs of one FFT of `size` real samples, or of its inverse: half of a complex one's 5 N log2 N."""
    return 2.5 * size * math.log2(size)


def _as_trained(model: nn.Module) -> nn.Module:
    """Our model with its batch norms, which are folded away for inference: they are parameters too."""
    if isinstance(model, Ensemble):
        return Ensemble([_as_trained(member) for member in model.members])
    if not isinstance(model, HTDemucs_n):
        return model
    with torch.device("meta"):  # shapes without memory
        return HTDemucs_n(model.config)


def _mapping() -> dict[Any, Callable[..., int]]:
    """Formulas for what the counter does not know, from the shapes that an operator gets and gives."""

    def real(shape: Sequence[int], dims: Sequence[int], *_: Any, **__: Any) -> int:
        return _all_transforms(shape, dims, 1)

    def inverse(_: Sequence[int], dims: Sequence[int], *__: Any, out_shape: Sequence[int], **___: Any) -> int:
        return _all_transforms(out_shape, dims, 1)

    def complex_(shape: Sequence[int], dims: Sequence[int], *_: Any, **__: Any) -> int:
        return _all_transforms(shape, dims, 2)

    def attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return int(sdpa_flop_count(query, key, value))

    def lstm(shape: Sequence[int], *weights: Any, **_: Any) -> int:
        return 2 * math.prod(shape[:-1]) * (math.prod(weights[0]) + math.prod(weights[1]))

    mapping: dict[Any, Callable[..., int]] = dict(zip(_FFTS, (real, inverse, complex_), strict=True))
    mapping[_ATEN._scaled_dot_product_flash_attention_for_cpu] = attention
    mapping[_ATEN.mkldnn_rnn_layer] = lstm  # a layer in one direction
    return mapping


def _all_transforms(shape: Sequence[int], dims: Sequence[int], factor: int) -> int:
    """FLOPs of the transforms over `dims` of an array of `shape`; a complex one counts twice (`factor`) a real one."""
    size = math.prod(shape[dim] for dim in dims)
    return round(factor * math.prod(shape) / size * real_fft_flops(size))
