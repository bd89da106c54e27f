"""The studio as a program of its own: it is built, started, and separates as the package does."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest
import soundfile

from docs_helpers import ROOT
from htdemucs_n import Separator
from htdemucs_n.demo import demo_song

JOBS = "/api/v1/jobs"
LARGEST = 350 * 2**20
"""Bytes of the folder."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in its folder, built by PyInstaller."""
    if importlib.util.find_spec("PyInstaller") is None:
        pytest.skip("PyInstaller is not installed")
    if sys.platform == "linux" and shutil.which("objdump") is None:
        pytest.skip("PyInstaller needs objdump (Debian: binutils)")
    folder = tmp_path_factory.mktemp("app")
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR"]
    places = ["--distpath", str(folder / "dist"), "--workpath", str(folder / "build")]
    built = subprocess.run(
        [*command, *places, str(ROOT / "app" / "studio.spec")],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        timeout=500,
    )
    if "PythonLibraryNotFoundError" in built.stderr:
        pytest.skip("this Python has no shared library, which PyInstaller needs (Debian: libpython3-dev)")
    assert built.returncode == 0, built.stderr
    return folder / "dist" / "htdemucs-n-studio" / f"htdemucs-n-studio{'.exe' if os.name == 'nt' else ''}"


@contextlib.contextmanager
def started(program: Path, folder: Path) -> Iterator[str]:
    """The address of the running program, which knows no Python of this computer."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    process = subprocess.Popen(
        [program, "--library", str(folder / "library"), "--no-browser"],
        cwd=folder, env=environment | {"PATH": os.defpath}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    watchdog = threading.Timer(120, process.kill)  # a program that says nothing must not hang the test
    watchdog.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("the studio is at http://127.0.0.1:"), line
        yield line.split()[4]
    finally:
        watchdog.cancel()
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_it_separates_as_the_package_does(program: Path, tmp_path: Path) -> None:
    stems = demo_song()
    rate = stems["drums"].sample_rate
    mixture = 0.5 * np.sum([stem.samples[:, 2 * rate : 4 * rate] for stem in stems.values()], axis=0)
    clip = io.BytesIO()
    soundfile.write(clip, mixture.T, rate, format="WAV", subtype="FLOAT")
    with started(program, tmp_path) as url, httpx.Client(base_url=url, timeout=60) as client:
        assert client.get("/health").text == "ok\n"
        assert "<html" in client.get("/").text
        assert client.get("/page/main.js").status_code == 200
        assert client.get("/api/v1/library").json()["analyses"] is False  # so the page does not offer them
        job = client.post(JOBS, files={"file": ("clip.wav", clip.getvalue())}).json()["id"]
        for _ in range(600):
            state = client.get(f"{JOBS}/{job}").json()
            if state["state"] not in ("queued", "running"):
                break
            time.sleep(0.1)
        assert state["state"] == "done", state
        expected = Separator(engine="onnx").separate(mixture.astype(np.float32), rate)
        for name, samples in expected.items():
            got, _ = soundfile.read(io.BytesIO(client.get(f"{JOBS}/{job}/files/{name}").content), always_2d=True)
            assert got.shape == (2 * rate, 2)
            assert np.abs(got.T - samples).max() < 1e-4, name
            assert np.abs(samples).max() > 0.01


@pytest.mark.slow
def test_it_takes_a_free_port_and_needs_neither_torch_nor_much_room(program: Path, tmp_path: Path) -> None:
    files = [path for path in program.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < LARGEST
    assert not [path for path in files if "torch" in path.name.lower()]
    assert {"LICENSE", "LICENSE-WEIGHTS.md"} <= {path.name for path in files}
    with socket.socket() as other:
        with contextlib.suppress(OSError):  # in use already, which is as good
            other.bind(("127.0.0.1", 8766))
            other.listen()
        with started(program, tmp_path) as url:
            assert not url.endswith(":8766")
            assert httpx.get(f"{url}/health").text == "ok\n"
