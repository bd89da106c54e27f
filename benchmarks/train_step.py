"""Time a training step of a preset on the CPU, in bfloat16, on batches of 4 crops of 3 s of noise.

    python benchmarks/train_step.py [--preset small] [--release-memory] [key=value ...]

By default freed memory stays in the process, as in `htdemucs-n train`. With `--release-memory` glibc returns it to the
system. Keys are those of the training configuration, such as `solver.optimizer=adamw`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from htdemucs_n.memory import keep_freed_memory
from htdemucs_n.models.architectures import build_network
from htdemucs_n.training.batches import Batch
from htdemucs_n.training.config import TrainConfig
from htdemucs_n.training.distributed import Ranks
from htdemucs_n.training.step import TrainingStep

_ITEMS, _SAMPLES = 4, 131072
_WARM_UP, _STEPS = 5, 10


def seconds_a_step(overrides: Sequence[str]) -> float:
    """Median time of ten steps of the configuration with `overrides`, without the time of the data."""
    with initialize_config_module("htdemucs_n.conf", version_base="1.3"):
        values: Any = OmegaConf.to_container(compose("n_train", list(overrides)), resolve=True)
    config = TrainConfig.from_dict(values)
    torch.manual_seed(0)
    model = build_network(config.network).train()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    take_step = TrainingStep(model, config, Ranks())
    stems = torch.randn(_ITEMS, len(model.sources), model.audio_channels, _SAMPLES)
    sources = stems.shape[1]
    batch = Batch(
        mixture=stems.sum(dim=1),
        targets=stems,
        groups=torch.eye(sources).expand(_ITEMS, -1, -1),
        cutoff=torch.full((_ITEMS, sources), torch.inf),
        estimated=torch.zeros(_ITEMS, dtype=torch.bool),
    )
    times = []
    for _ in range(_WARM_UP + _STEPS):
        start = time.perf_counter()
        take_step([batch], config.solver.lr)
        times.append(time.perf_counter() - start)
    return statistics.median(times[_WARM_UP:])


def main() -> None:
    """Print the median time of a step in seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--release-memory", action="store_true")
    parser.add_argument("keys", nargs="*")
    arguments = parser.parse_args()
    if not arguments.release_memory:
        keep_freed_memory()
    seconds = seconds_a_step([f"preset={arguments.preset}", *arguments.keys])
    print(f"{arguments.preset}: {seconds:.2f} s for a step, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
