"""`htdemucs-n info`: what a report of a fault needs to say about the installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def info(as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False) -> None:
    """Print versions, engines, devices and caches: include them in a bug report."""
    import json

    report = _report()
    if as_json:
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    for section, entries in report.items():
        typer.echo(section)
        for name, value in entries.items():
            typer.echo(f"  {name:<22} {', '.join(value) if isinstance(value, list) else value}")


def _report() -> dict[str, dict[str, Any]]:
    """Sections of the report, each with its entries: text, numbers or lists of text."""
    from htdemucs_n.models.names import available_models
    from htdemucs_n.provenance import code_version

    return {
        "program": {**code_version(), "models": available_models()},
        "system": _system(),
        "packages": _versions(),
        "engines": _engines(),
        "caches": _caches(),
        "environment": _environment(),
    }


def _system() -> dict[str, Any]:
    import os
    import platform

    from htdemucs_n.provenance import processor

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    entries = {
        "system": platform.platform(),
        "processor": processor(),
        "cores": f"{os.cpu_count()}, of which this process may use {usable}",
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        entries["memory"] = f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB"
    return entries


def _versions() -> dict[str, str]:
    """The versions of the packages that the core of htdemucs-n needs, as they are installed, and of FFmpeg."""
    import importlib.metadata
    import re

    try:
        requirements = importlib.metadata.requires("htdemucs-n") or []
    except importlib.metadata.PackageNotFoundError:  # it runs from a folder, without having been installed
        requirements = []
    versions = {}
    for requirement in requirements:
        if "extra ==" in requirement:
            continue
        package = re.split(r"[^\w.-]", requirement)[0]
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    try:
        import av

        versions["ffmpeg (in av)"] = av.ffmpeg_version_info
    except (ImportError, AttributeError) as error:
        versions["ffmpeg (in av)"] = f"not usable: {error}"
    return versions


def _engines() -> dict[str, Any]:
    """The installed engines with their devices, and the one that separates by default."""
    from htdemucs_n.engines.choose import load_engine
    from htdemucs_n.engines.installed import installed_engines
    from htdemucs_n.errors import UserError

    entries: dict[str, Any] = {}
    for engine in installed_engines():
        if engine.version is None:
            entries[engine.name] = "not installed"
        else:
            entries[engine.name] = [engine.version, *([engine.problem] if engine.problem else engine.devices)]
    try:
        default = load_engine(None)
        entries["auto takes"] = f"{default.name} on {default.device} in {default.precision}"
    except UserError as error:
        entries["auto takes"] = f"nothing: {error}"
    return entries


def _caches() -> dict[str, str]:
    """The folders in which something is kept, with their sizes. The user's home is written as ~."""
    from htdemucs_n.engines.user_cache import cache_root

    root = cache_root()
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    entries = {"folder": _without_home(root)}
    for folder in folders:
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        entries[folder.name] = f"{size / 2**20:.1f} MiB"
    return entries


def _environment() -> dict[str, str]:
    """The variables that change how the engines compute."""
    import os

    kinds = ("OMP_", "GOMP_", "KMP_", "MKL_", "ORT_", "OV_", "CUDA_", "PYTORCH_", "TORCH_", "XDG_CACHE_HOME")
    return {name: _without_home(Path(value)) for name, value in sorted(os.environ.items()) if name.startswith(kinds)}


def _without_home(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):  # elsewhere, or there is no home
        return str(path)
