"""Choose where PyTorch runs a model, and in which precision."""

from __future__ import annotations

import torch

from htdemucs_n.engines.engine import check_precision
from htdemucs_n.errors import DeviceError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""torch's types by the names of the precisions."""


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
        raise DeviceError(f"device '{name}' is not available here: use auto, cpu, cuda or mps") from None
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """A key of `PRECISIONS`: `name`, or for `auto` bf16 where the device multiplies in it, else fp32.

    Raises:
        OptionError: no such precision.
    """
    check_precision(name)
    if name == "auto":
        name = "bf16" if _multiplies_bf16(device) else "fp32"
    return name


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":  # private functions of torch, which may go
        asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, ask, bool)() for ask in asks)
    return False
