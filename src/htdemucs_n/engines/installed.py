"""The engines of this computer: which are installed, their versions, and the devices that they see."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from htdemucs_n.engines.choose import ENGINES


@dataclass(frozen=True)
class InstalledEngine:
    """An engine of `ENGINES`: the `version` of its package, None where it is not installed, and its `devices`.

    `problem` is why an installed package cannot be used, None where it can.
    """

    name: str
    version: str | None
    devices: tuple[str, ...] = ()
    problem: str | None = None


def installed_engines() -> list[InstalledEngine]:
    """All engines, in the order of `ENGINES`. The packages that are installed are imported, which takes seconds."""
    return [_inspect(name, package) for name, (package, _) in ENGINES.items()]


def _inspect(name: str, package: str) -> InstalledEngine:
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return InstalledEngine(name, None)
    try:
        return InstalledEngine(name, version, tuple(_DEVICES[name]()))
    except Exception as error:  # a broken installation raises anything, and that is what is to be told
        return InstalledEngine(name, version, problem=" ".join(f"{type(error).__name__}: {error}".split()))


def _onnx_devices() -> Iterator[str]:
    import onnxruntime

    yield from onnxruntime.get_available_providers()


def _openvino_devices() -> Iterator[str]:
    from htdemucs_n.engines.openvino_engine import openvino_core

    core = openvino_core()
    for device in core.available_devices:
        yield f"{device} ({core.get_property(device, 'FULL_DEVICE_NAME')})"


def _torch_devices() -> Iterator[str]:
    import torch

    yield "cpu"
    for number in range(torch.cuda.device_count()):
        yield f"cuda:{number} ({torch.cuda.get_device_name(number)})"
    if torch.backends.mps.is_available():
        yield "mps"


_DEVICES: dict[str, Callable[[], Iterator[str]]] = {
    "onnx": _onnx_devices,
    "openvino": _openvino_devices,
    "torch": _torch_devices,
}
"""The devices that the package of an engine sees; the engines onnx and openvino use the CPU."""
