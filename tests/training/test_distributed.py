"""Two processes on the CPU are one process with twice the batches a step."""

from __future__ import annotations

import copy
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from htdemucs_n.errors import UserError
from htdemucs_n.models.storage import load_tensors
from htdemucs_n.training.distributed import Ranks, joined_ranks
from htdemucs_n.training.solver import Solver
from training_helpers import noise_bank, tiny_config

_TESTS = str(Path(__file__).parents[1])
_RANK = """
import sys, torch
sys.path += [sys.argv[2], sys.argv[2] + "/training"]
from pathlib import Path
from test_distributed import train
from htdemucs_n.training.distributed import joined_ranks
torch.set_num_threads(1)
with joined_ranks(True, "cpu") as ranks:
    for optimizer in sys.argv[3:]:
        train(Path(sys.argv[1]) / optimizer, 1, ranks, optimizer)
"""
_OPTIMIZERS = ("adamw", "muon")


def train(out: Path, accumulate: int, ranks: Ranks, optimizer: str) -> dict[str, torch.Tensor]:
    """Four steps of two items a batch; returns the weights before them."""
    settings = {"accumulate": accumulate, "epochs": 2, "epoch_steps": 2, "lr": 1e-3, "optimizer": optimizer}
    config = tiny_config(out, solver=settings)
    solver = Solver(config, noise_bank(), noise_bank(1).songs, ranks)
    start = copy.deepcopy(solver.model.state_dict())
    solver.train()
    return start


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of two processes for each optimiser."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", _RANK, str(folder), _TESTS, *_OPTIMIZERS],
            env=os.environ
            | {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
            | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
        )
        for rank in range(2)
    ]
    assert [rank.wait(timeout=240) for rank in ranks] == [0, 0]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", _OPTIMIZERS)
def test_two_ranks_are_one_with_the_double_batch(optimizer: str, two_ranks: Path, tmp_path: Path) -> None:
    """AdamW in every weight. Muon rounds to bfloat16, which makes 0.4 % of a step of the last bit of a gradient: all
    weights together end within a tenth of the way that they went."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the ranks: AdamW makes a step of a rounding error where a gradient is nearly 0
    try:
        start = train(tmp_path, 2, Ranks(), optimizer)
    finally:
        torch.set_num_threads(threads)
    two, one = (load_tensors(folder / "last.safetensors")[0] for folder in (two_ranks / optimizer, tmp_path))
    weights = [name for name in one if name.startswith("model.") and "running_" not in name and "num_b" not in name]
    assert two.keys() == one.keys() and len(weights) > 50
    if optimizer == "adamw":
        for name in weights:
            torch.testing.assert_close(two[name], one[name], atol=1e-5, rtol=1e-3, msg=name)
    else:
        apart = sum((two[name] - one[name]).square().sum() for name in weights)
        went = sum((one[name] - start[name.removeprefix("model.")]).square().sum() for name in weights)
        assert apart < 0.1**2 * went


def test_a_rank_needs_its_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(UserError, match="torchrun"), joined_ranks(True, "cpu"):
        pass


def test_a_single_process_exchanges_nothing() -> None:
    with joined_ranks(False, "cpu") as ranks:
        assert ranks.first and ranks.count == 1
        assert ranks.any(True) and not ranks.any(False)
        ranks.wait()
