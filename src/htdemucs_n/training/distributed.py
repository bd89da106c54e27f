"""Several processes, one a GPU (or a CPU share), started by torchrun: `solver.ddp=true`.

Every rank draws its own items and holds the whole model; gradients are averaged before each optimiser step. Batch
norm averages over the items of its own rank alone, so N ranks equal one rank with `solver.accumulate` N times as high.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from htdemucs_n.errors import UserError


@dataclass(frozen=True)
class Ranks:
    """Which process this is, of how many."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this process is the one that validates, writes files and logs."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true on any rank; all ranks must call it."""
        if self.count == 1:
            return flag
        votes = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return bool(votes.item())

    def wait(self) -> None:
        """Wait until every rank has called this."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def joined_ranks(ddp: bool, device: str) -> Iterator[Ranks]:
    """The ranks of this run, joined until the block ends: one where `ddp` is false.

    Raises `UserError` where `ddp` is true and torchrun did not start the process.
    """
    if not ddp:
        yield Ranks(device=device)
        return
    if "RANK" not in os.environ:
        raise UserError(
            "solver.ddp=true needs torchrun: torchrun --nproc-per-node=GPUS -m htdemucs_n train solver.ddp=true ..."
        )
    kind = torch.device(device).type
    if kind == "cuda":
        local = int(os.environ["LOCAL_RANK"])
        torch.cuda.set_device(local)
        device = f"cuda:{local}"
    dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), device)
        dist.barrier()  # rank 0 keeps the connections of all: it must not leave while another rank uses them
    finally:
        dist.destroy_process_group()
