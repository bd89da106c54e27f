"""Wait for a device, and read its peak of memory."""

from __future__ import annotations

import torch


def wait_for(device: torch.device) -> None:
    """Return when the device has finished all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def gpu_peak_mib(device: torch.device) -> float | None:
    """The most CUDA memory that tensors of this process have held, MiB; None on other devices."""
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None
