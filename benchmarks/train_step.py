"""Time a training step of a preset on the CPU: noise in place of songs, bfloat16 autocast, batches of 4 crops of 3 s.

    python benchmarks/train_step.py [--preset small] [--release-memory]

`--release-memory` leaves glibc as it is; without it freed memory stays in the process, as in `htdemucs-n train`.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from htdemucs_n.memory import keep_freed_memory
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from htdemucs_n.models.presets import load_preset
from htdemucs_n.training.loss import SeparationLoss

_SAMPLES = 131072
_WARM_UP, _STEPS = 5, 10


def main() -> None:
    """Print the median step time, seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--release-memory", action="store_true")
    arguments = parser.parse_args()
    if not arguments.release_memory:
        keep_freed_memory()
    torch.manual_seed(0)
    model = HTDemucs_n(load_preset(arguments.preset)).train()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    loss = SeparationLoss()
    stems = torch.randn(4, len(model.sources), 2, _SAMPLES)
    times = []
    for _ in range(_WARM_UP + _STEPS):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            estimate = model(stems.sum(dim=1))
        optimizer.zero_grad(set_to_none=True)
        loss(estimate, stems).backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    print(f"{arguments.preset}: {statistics.median(times[_WARM_UP:]):.2f} s a step, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
