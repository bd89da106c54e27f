"""No engine uses the network: both onnxruntime and openvino send telemetry by themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from audio_helpers import tones
from process_helpers import COMMAND, NETWORK_USED, WITHOUT_NETWORK


@pytest.mark.parametrize("name", ["onnx", "openvino", "torch"])
def test_an_engine_opens_no_socket(name: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", tones((440, 1000), 44100, 0.5).T, 44100)
    command = [sys.executable, "-c", WITHOUT_NETWORK + COMMAND]
    command += ["separate", "song.wav", "-n", "bands", "--engine", name, "--device", "cpu", "-o", "stems"]
    # A child process may be what uses a socket, and the package of openvino is silent where CI is set.
    others = {key: value for key, value in os.environ.items() if key not in ("CI", "ORT_DISABLE_TELEMETRY")}
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}  # as on the first start
    done = subprocess.run(command, cwd=tmp_path, env=others | home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "network:" not in done.stderr
    # onnxruntime sends from native code, which the check of sockets does not see; it keeps its events in a file first.
    assert {file.name for file in (tmp_path / "cache").glob("*")} <= {"htdemucs-n"}
    assert (tmp_path / "stems" / "bands" / "song" / "drums.wav").exists()


def test_the_check_can_fail() -> None:
    """An address of this computer, of a port that nothing listens on."""
    attempt = """
import socket
try:
    socket.create_connection(("127.0.0.1", 9))
except Exception:
    pass
"""
    code = WITHOUT_NETWORK + attempt
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == NETWORK_USED
    assert done.stderr.startswith("network: socket.")
