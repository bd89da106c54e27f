"""The packages that an export needs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from htdemucs_n.errors import missing_package


def require_packages(path: Path) -> None:
    """Raise `UserError` unless all packages are installed that the export to `path` (.onnx or .xml) needs."""
    packages = dict.fromkeys(("torch", "onnx", "onnxscript"), "export")
    if path.suffix.lower() == ".xml":
        packages["openvino"] = "openvino"
    for package, extra in packages.items():
        if find_spec(package) is None:
            raise missing_package(f"export to {path.suffix}", package, extra)
