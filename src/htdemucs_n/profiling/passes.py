"""Time by part and peak memory of one pass of a model over a batch of segments, in a process of its own."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn

from htdemucs_n.engines.device import PRECISIONS
from htdemucs_n.engines.torch_engine import TorchEngine
from htdemucs_n.memory import keep_freed_memory, peak_rss_mib, rss_mib
from htdemucs_n.models.folding import reduce_weights
from htdemucs_n.profiling.devices import gpu_peak_mib, wait_for
from htdemucs_n.profiling.fresh_process import in_fresh_process
from htdemucs_n.profiling.parts import Meter
from htdemucs_n.profiling.profiled_model import ProfiledModel
from htdemucs_n.separation import Separator


@dataclass(frozen=True)
class Settings:
    """How to run a model; None is what `separate` would take. `segment` is in seconds."""

    device: str = "auto"
    precision: str = "auto"
    segment: float | None = None
    batch: int | None = None
    threads: int | None = None

    def separator(self, model: ProfiledModel) -> Separator:
        """The model as `htdemucs-n separate` prepares it for PyTorch. Raises `UserError`."""
        separator = Separator(
            model.build() if model.untrained else model.name,
            engine="torch",
            device=self.device,
            precision=self.precision,
            segment=self.segment,
            batch=self.batch,
            trusted=model.trusted,
            threads=self.threads,
        )
        if model.untrained:  # the weights of models that `Separator` loads are rounded by it
            engine = torch_engine(separator)
            reduce_weights(cast(nn.Module, engine.network), PRECISIONS[engine.precision])
        return separator


def torch_engine(separator: Separator) -> TorchEngine:
    """The engine of a separator of `Settings`."""
    return cast(TorchEngine, separator.engine)


@dataclass(frozen=True)
class PassMeasurement:
    """What one pass takes: medians in seconds, memory in MiB.

    `seconds` is measured without looking at the parts. `loaded_mib` is what the process held before the first pass:
    Python, torch and the weights; `peak_rss_mib` includes it. `gpu_mib` is the peak of CUDA memory.
    """

    seconds: float
    all_seconds: list[float]
    seconds_by_part: dict[str, float]
    loaded_mib: float | None
    peak_rss_mib: float | None
    gpu_mib: float | None


def measure_passes(model: ProfiledModel, settings: Settings, repeats: int) -> PassMeasurement:
    """Measure `repeats` passes after a first one, in a fresh process. Raises `UserError`, `MemoryError`."""
    return in_fresh_process(_measure, model, settings, repeats)


def open_separator(model: ProfiledModel, settings: Settings) -> Separator:
    """In a process that measures: the memory and the model as `htdemucs-n separate` sets them up."""
    keep_freed_memory(one_heap=True)
    return settings.separator(model)


def _measure(model: ProfiledModel, settings: Settings, repeats: int) -> PassMeasurement:
    separator = open_separator(model, settings)
    engine = torch_engine(separator)
    device = torch.device(engine.device)
    samples = round(engine.segment * engine.samplerate)
    segments = list(np.random.default_rng(0).standard_normal((separator.batch, 2, samples), np.float32))
    loaded = rss_mib()

    def run() -> None:
        separator.estimator.estimate(segments)  # its stems are arrays, so the device has finished

    def clock() -> float:
        wait_for(device)
        return time.perf_counter()

    run()
    all_seconds = [seconds_of(run) for _ in range(repeats)]
    peak, gpu = peak_rss_mib(), gpu_peak_mib(device)
    meter = Meter(cast(nn.Module, engine.network), clock)
    by_part = []
    for _ in range(repeats):
        with meter.attached():
            run()
        by_part.append(meter.totals)
    medians = {part: statistics.median(totals[part] for totals in by_part) for part in by_part[0]}
    return PassMeasurement(statistics.median(all_seconds), all_seconds, medians, loaded, peak, gpu)


def seconds_of(run: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
