"""Choose where the model runs."""

from __future__ import annotations

import torch

from htdemucs_n.errors import UserError


def choose_device(name: str) -> torch.device:
    """Device by name: `auto` (the first of CUDA, MPS, CPU that is there), `cpu`, `cuda`, `cuda:1`, `mps`, ...

    Raises:
        UserError: no such device, in torch or in this computer.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (
        RuntimeError,
        AssertionError,
        NotImplementedError,
    ):  # what torch raises differs from device to device
        raise UserError(f"device '{name}' is not available here: use auto, cpu, cuda or mps") from None
    return device
