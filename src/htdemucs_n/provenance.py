"""Where results come from: the version and content of the code, the machine and the command; in every result file."""

from __future__ import annotations

import datetime
import functools
import hashlib
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from htdemucs_n import __version__

_PACKAGE = Path(__file__).parent


def describe_machine(threads: int, device: str = "cpu") -> dict[str, Any]:
    """Date, system, processor (and GPU where `device` is one), cores, threads, versions and the command line.

    In a checkout, `commit` is the one that is checked out.
    """
    versions = code_version()
    for name in ("torch", "onnxruntime", "openvino", "numpy", "demucs", "museval"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    about = {
        "command": command_line(sys.argv),
        "date": datetime.date.today().isoformat(),
        "system": platform.platform(),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        **versions,
    }
    if device.startswith("cuda"):
        import torch

        about["gpu"] = torch.cuda.get_device_name(device)
    return about


@functools.cache
def _code_version() -> tuple[tuple[str, str], ...]:
    commit = current_commit()
    return (("htdemucs-n", __version__), *((("commit", commit),) if commit else ()))


def code_version() -> dict[str, str]:
    """The version of this package and, in a checkout, the commit: which every file of results holds."""
    return dict(_code_version())


def current_commit() -> str | None:
    """The commit of the checkout that holds this package, with `+changes` where files differ; None outside of one."""
    root = _PACKAGE.parent.parent
    if not (root / ".git").exists():
        return None
    commands = (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    try:
        commit, changes = (
            subprocess.run(["git", "-C", root, *command], capture_output=True, text=True, check=True, timeout=10).stdout
            for command in commands
        )
    except (OSError, subprocess.SubprocessError):  # git is not installed, or does not trust the folder
        return None
    return commit.strip() + ("+changes" if changes.strip() else "")


@functools.cache
def code_digest() -> str:
    """A hash of all Python files of the package: results that are kept are valid for one value of it."""
    digest = hashlib.sha256()
    for file in sorted(_PACKAGE.rglob("*.py")):
        digest.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def command_line(arguments: list[str]) -> str:
    """`sys.argv` as a reader would type it: programs by their names, folders elsewhere by their last part."""
    program = Path(arguments[0])
    if program.suffix == ".py" and program.name != "__main__.py":
        words = ["python", f"{program.resolve().parent.name}/{program.name}"]
    else:
        words = ["htdemucs-n"]
    words += [Path(word).name if Path(word).is_absolute() else word for word in arguments[1:]]
    return shlex.join(words)


def processor() -> str:
    """The processor's name; the kernel knows it better than Python where there is /proc."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
