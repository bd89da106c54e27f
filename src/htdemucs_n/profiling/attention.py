"""Time and memory of attention over the number of tokens: linear, softmax, and softmax with its matrix written out.

All three have the same projections to queries, keys and values, and out again; only what is between them differs.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from htdemucs_n.engines.device import PRECISIONS, choose_device, choose_precision
from htdemucs_n.memory import keep_freed_memory, peak_rss_mib, rss_mib
from htdemucs_n.models.linear_attention import LinearAttention, SoftmaxAttention
from htdemucs_n.profiling.devices import gpu_peak_mib, wait_for
from htdemucs_n.profiling.fresh_process import in_fresh_process
from htdemucs_n.profiling.passes import Settings, seconds_of

DIM, HEADS, DIM_HEAD = 512, 8, 64
"""Width of a token, heads and width of a head: those of the `default` preset."""

TOKENS = (1000, 2000, 4000, 8000, 16_000, 32_000, 64_000)
TOKEN_SECONDS = 1024 / 44_100
"""Seconds of a song that a token stands for."""

_BUDGET = 3.0
"""Seconds after which a measurement is not repeated."""


class MatrixAttention(SoftmaxAttention):
    """Softmax attention with its N x N matrix a head written out. Shape: `(B, N, dim)` -> `(B, N, dim)`."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Queries, keys and values `(..., N, d)` -> the weighted values, those of `SoftmaxAttention`."""
        return (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(dim=-1) @ v


KINDS: dict[str, type[LinearAttention]] = {
    "linear": LinearAttention,
    "softmax": SoftmaxAttention,
    "softmax, N x N matrix": MatrixAttention,
}


@dataclass(frozen=True)
class AttentionMeasurement:
    """One layer over `tokens` tokens: median seconds, MiB above what was held before; None and a `note` if too much."""

    attention: str
    tokens: int
    seconds: float | None
    mib: float | None
    note: str = ""


def measure_attention(
    settings: Settings, tokens: Sequence[int], repeats: int, progress: Callable[[], None]
) -> list[AttentionMeasurement]:
    """Measure every kind at every number of tokens, each in a fresh process; `progress` is called after each."""
    rows = []
    for kind in KINDS:
        for number in tokens:
            try:
                rows.append(in_fresh_process(_measure, kind, number, settings, repeats))
            except MemoryError as error:
                rows.append(AttentionMeasurement(kind, number, None, None, str(error)))
            progress()
    return rows


def _measure(kind: str, tokens: int, settings: Settings, repeats: int) -> AttentionMeasurement:
    keep_freed_memory(one_heap=True)  # as `separate` does
    if settings.threads:
        torch.set_num_threads(settings.threads)
    device = choose_device(settings.device)
    precision = PRECISIONS[choose_precision(settings.precision, device)]
    needed = 2 * HEADS * tokens**2 * precision.itemsize  # the matrices before and after the softmax
    if KINDS[kind] is MatrixAttention and needed > 0.5 * _memory(device):
        return AttentionMeasurement(kind, tokens, None, None, f"needs {needed / 2**30:.0f} GiB")
    torch.manual_seed(0)
    attention = KINDS[kind](DIM, HEADS, DIM_HEAD).eval().to(device)

    def run(number: int) -> float:
        def attend() -> None:
            attention(x)
            wait_for(device)

        with torch.inference_mode(), torch.autocast(device.type, precision, precision != torch.float32):
            x = torch.randn(1, number, DIM, device=device)
            wait_for(device)
            return seconds_of(attend)

    run(64)
    before = torch.cuda.memory_allocated(device) / 2**20 if device.type == "cuda" else rss_mib()
    try:
        seconds = [run(tokens)]
        while len(seconds) <= repeats and sum(seconds) < _BUDGET:
            seconds.append(run(tokens))
    except RuntimeError as error:
        if "memory" not in str(error):
            raise
        return AttentionMeasurement(kind, tokens, None, None, "not enough memory")
    peak = gpu_peak_mib(device) or peak_rss_mib()
    grown = None if peak is None or before is None else max(0.0, peak - before)
    return AttentionMeasurement(
        kind, tokens, statistics.median(seconds[1:] or seconds), grown
    )  # the first one warms up


def _memory(device: torch.device) -> float:
    """Bytes of memory of the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError):  # Windows
        return 8 * 2**30
