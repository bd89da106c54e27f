"""Code for Python processes in which the network is off, packages are not installed, or the command runs."""

from __future__ import annotations

from collections.abc import Iterable

WITHOUT_NETWORK = """
import os, sys
def refuse(event, arguments):
    if event.startswith("socket."):
        print("network:", event, arguments, file=sys.stderr, flush=True)
        os._exit(97)  # an exception could be caught
sys.addaudithook(refuse)
"""
"""Ends the process at the first use of a socket, with `NETWORK_USED`."""

NETWORK_USED = 97

COMMAND = """
import sys
from htdemucs_n.cli.main import main
sys.argv[0] = "htdemucs-n"
main()
"""
"""Runs `htdemucs-n` with the arguments of the process."""

EXTRAS = (
    "demucs", "fastapi", "hydra", "librosa", "matplotlib", "mido", "museval", "omegaconf", "onnx", "onnxscript",
    "openvino", "pandas", "prometheus_client", "python_multipart", "scipy", "sse_starlette", "tensorboard", "torch",
    "uvicorn", "yaml",
)  # fmt: skip
"""Packages that the core of htdemucs-n does not bring."""


def without(packages: Iterable[str]) -> str:
    """Makes the import of each of the packages fail, as where it is not installed."""
    return f"import sys\nsys.modules.update(dict.fromkeys({list(packages)!r}))\n"
