"""Freed memory stays in the process: the kernel hands out no page twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import htdemucs_n

CODE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from htdemucs_n.memory import keep_freed_memory
if sys.argv[2] == "keep":
    keep_freed_memory()
import numpy as np
def use():
    np.ones(2**25, np.uint8)  # 32 MiB, 8,192 pages
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_pages_are_faulted_in_once() -> None:
    source = str(Path(htdemucs_n.__file__).parents[1])

    def faults(what: str) -> int:
        done = subprocess.run([sys.executable, "-c", CODE, source, what], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("keep") < 100
    if faults("return") < 100:
        pytest.skip("this C library keeps freed memory by itself")
