"""Workers as processes: one that dies before it has a song, and one that is stopped while it has one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from htdemucs_n.catalogue.processes import Processes
from htdemucs_n.catalogue.run import run_catalogue
from htdemucs_n.catalogue.store import Store
from htdemucs_n.catalogue.worker import Work
from htdemucs_n.errors import DeviceError

pytest.importorskip("fsspec")
from catalogue_helpers import make_songs


class _Ends:
    """Ends the process that receives it, as a worker does whose model does not fit the memory."""

    def __reduce__(self) -> Any:
        return os._exit, (1,)


def test_workers_that_die_before_their_first_song_do_not_blame_it(tmp_path: Path) -> None:
    make_songs(tmp_path / "in", 2, 0.01)
    workers = Processes(Work(str(tmp_path / "out"), {"model": _Ends()}), 2)
    with pytest.raises(DeviceError, match="3 workers have died before their first song"):
        run_catalogue(str(tmp_path / "in"), str(tmp_path / "out"), workers)
    assert list(Store(str(tmp_path / "out")).names("_catalogue/failed")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_gives_its_songs_back(sign: signal.Signals, tmp_path: Path) -> None:
    make_songs(tmp_path / "in", 1, 60.0)
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "htdemucs_n", "catalogue", "in", "out", "-n", "bands", "--engine", "onnx"]
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may have it off
    process = subprocess.Popen([*command, "--threads", "1"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    signal.signal(signal.SIGINT, before)
    claims = tmp_path / "out" / "_catalogue" / "claims"
    for _ in range(1200):
        if claims.is_dir() and list((tmp_path / "tmp").glob("htdemucs-n-*")):
            break
        time.sleep(0.05)
    process.send_signal(sign)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + sign, said
    assert b"Traceback" not in said
    assert list(claims.iterdir()) == []  # the next run need not wait until they expire
    assert list((tmp_path / "tmp").glob("htdemucs-n-*")) == []
    assert list((tmp_path / "out").rglob("*.wav")) == []
