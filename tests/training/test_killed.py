"""A run killed without warning, again and again, ends as the run that never was."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from htdemucs_n.models.storage import load_tensors
from htdemucs_n.training.solver import Solver
from training_helpers import noise_bank, tiny_config

_TESTS = str(Path(__file__).parents[1])
_RUN = """
import sys, torch
sys.path += [sys.argv[2], sys.argv[2] + "/training"]
from pathlib import Path
from test_killed import run
torch.set_num_threads(1)
run(Path(sys.argv[1]))
"""


def run(out: Path) -> None:
    """Twelve steps with a checkpoint after each, going on from what is there."""
    config = tiny_config(out, solver={"epochs": 4, "checkpoint_minutes": 0.0})
    solver = Solver(config, noise_bank(), noise_bank(1).songs)
    solver.restore()
    solver.train()


@pytest.mark.slow
def test_killed_at_any_moment_the_run_goes_on(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run(tmp_path / "whole")
    random = np.random.default_rng(0)
    last = tmp_path / "parts" / "last.safetensors"
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", _RUN, str(tmp_path / "parts"), _TESTS])
        before = last.stat().st_mtime_ns if last.exists() else 0
        while process.poll() is None and (not last.exists() or last.stat().st_mtime_ns == before):
            time.sleep(0.01)  # until it has saved once, so that there is progress
        time.sleep(random.uniform(0, 0.2))
        process.kill()
        process.wait()
    run(tmp_path / "parts")
    whole, parts = (load_tensors(tmp_path / name / "last.safetensors") for name in ("whole", "parts"))
    assert parts[1]["progress"]["step"] == 12
    assert parts[0].keys() == whole[0].keys()
    assert all(torch.equal(parts[0][name], whole[0][name]) for name in whole[0])
    steps = [line.split(",")[0] for line in (tmp_path / "parts" / "curve.csv").read_text().splitlines()]
    assert steps == ["step", "3", "6", "9", "12"]
