"""A command whose output cannot be written ends in one line."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
"""A device of Linux to which nothing can be written: as a full disk."""


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["models"], ["info"]], ids=" ".join)
def test_a_full_disk_behind_standard_output_is_one_line(arguments: list[str]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "htdemucs_n", *arguments], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    reason = os.strerror(errno.ENOSPC)
    assert done.stderr == f"error: standard output cannot be written ({reason}): direct it elsewhere\n"
