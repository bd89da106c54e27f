"""Where, when, with what and by which command figures were made: the head of every result file."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

from htdemucs_n import __version__


def describe_machine(threads: int, device: str = "cpu") -> dict[str, Any]:
    """Date, system, processor (and GPU where `device` is one), cores, threads, versions and the command line."""
    versions = {"htdemucs-n": __version__}
    for name in ("torch", "numpy", "demucs"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    about = {
        "command": command_line(sys.argv),
        "date": datetime.date.today().isoformat(),
        "system": platform.platform(),
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        **versions,
    }
    if device.startswith("cuda"):
        import torch

        about["gpu"] = torch.cuda.get_device_name(device)
    return about


def command_line(arguments: list[str]) -> str:
    """`sys.argv` as a reader would type it: programs by their names, folders elsewhere by their last part."""
    program = Path(arguments[0])
    if program.suffix == ".py" and program.name != "__main__.py":
        words = ["python", f"{program.resolve().parent.name}/{program.name}"]
    else:
        words = ["htdemucs-n"]
    words += [Path(word).name if Path(word).is_absolute() else word for word in arguments[1:]]
    return shlex.join(words)


def _processor() -> str:
    """The processor's name; the kernel knows it better than Python where there is /proc."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
