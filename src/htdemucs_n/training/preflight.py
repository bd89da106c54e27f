"""One real step before the run: does it fit, how quick is it, when will it end?"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable

import torch
from torch import nn

from htdemucs_n.errors import DeviceError
from htdemucs_n.memory import peak_rss_mib

log = logging.getLogger(__name__)


def preflight(model: nn.Module, backward: Callable[[], object], steps: int, device: torch.device) -> float:
    """Run `backward` (a forward and backward pass over one step's batches) twice and report; returns seconds per step.

    The model is left as it was: gradients are dropped and batch-norm statistics put back, so a run is the same with
    and without. Raises `DeviceError` when memory runs out.
    """
    buffers = copy.deepcopy(dict(model.named_buffers()))
    try:
        backward()  # the first pass also pays for memory and kernels being set up
        start = time.monotonic()
        backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.monotonic() - start
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise DeviceError(
            f"a step does not fit into the memory of {device}: halve dset.batch_size and double solver.accumulate"
        ) from error
    finally:
        model.zero_grad(set_to_none=True)
    for name, buffer in model.named_buffers():
        buffer.copy_(buffers[name])
    log.info(
        "preflight: %.2f s per step, peak memory %s; %d steps take about %s",
        seconds,
        _peak_memory(device),
        steps,
        _duration(seconds * steps),
    )
    return seconds


def _peak_memory(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB of the GPU"
    peak = peak_rss_mib()
    return "unknown" if peak is None else f"{peak / 2**10:.1f} GiB"


def _duration(seconds: float) -> str:
    """As `3 h 20 min`, or minutes alone below an hour."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
