"""Signals reach Python after an engine was in use."""

from __future__ import annotations

import subprocess
import sys

import pytest

FREED_BY_ANOTHER_THREAD = """
import signal, sys, threading
from htdemucs_n import Separator
separators = [Separator("bands", engine=sys.argv[1], device="cpu")]
thread = threading.Thread(target=separators.clear)
thread.start()
thread.join()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may have it off
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("name", ["onnx", "openvino", "torch"])
def test_an_interrupt_after_another_thread_has_freed_the_engine(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", FREED_BY_ANOTHER_THREAD, name], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
