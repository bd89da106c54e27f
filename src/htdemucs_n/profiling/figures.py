"""Time by part and peak memory of one pass of a model over a batch of segments, in a process of its own."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from htdemucs_n.memory import keep_freed_memory
from htdemucs_n.models.folding import reduce_weights
from htdemucs_n.models.registry import Model
from htdemucs_n.profiling.devices import gpu_peak_mib, wait_for
from htdemucs_n.profiling.memory import in_fresh_process, peak_rss_mib, rss_mib
from htdemucs_n.profiling.parts import Meter
from htdemucs_n.profiling.subjects import Subject
from htdemucs_n.separation import Separator
from htdemucs_n.separation.estimate import Estimator


@dataclass(frozen=True)
class Settings:
    """How to run a model; None is what `separate` would take. `segment` is in seconds."""

    device: str = "auto"
    precision: str = "auto"
    segment: float | None = None
    batch: int | None = None
    threads: int | None = None

    def separator(self, model: Model) -> Separator:
        """The model, moved to its device, as `separate` would run it. Raises `UserError`."""
        return Separator(model, self.device, self.segment, precision=self.precision, batch=self.batch)


@dataclass(frozen=True)
class Figures:
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


def measure_figures(subject: Subject, settings: Settings, repeats: int) -> Figures:
    """Measure `repeats` passes after a first one, in a fresh process. Raises `UserError`, `MemoryError`."""
    return in_fresh_process(_measure, subject, settings, repeats)


def open_model(subject: Subject, settings: Settings) -> tuple[Model, Separator]:
    """In a process that measures: the model as `htdemucs-n separate` prepares it."""
    keep_freed_memory(one_heap=True)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    model = subject.load()
    separator = settings.separator(model)
    return reduce_weights(model, separator.precision), separator


def _measure(subject: Subject, settings: Settings, repeats: int) -> Figures:
    model, separator = open_model(subject, settings)
    estimator = Estimator(separator.device, separator.precision)
    samples = round((settings.segment or model.segment) * model.samplerate)
    segments = list(torch.randn(separator.batch, 2, samples, generator=torch.Generator().manual_seed(0)))
    loaded = rss_mib()

    def run() -> None:
        estimator.estimate(model, segments)  # its stems come to the CPU, so the device has finished

    def clock() -> float:
        wait_for(separator.device)
        return time.perf_counter()

    run()
    all_seconds = [seconds_of(run) for _ in range(repeats)]
    peak, gpu = peak_rss_mib(), gpu_peak_mib(separator.device)
    meter = Meter(model, clock)
    by_part = []
    for _ in range(repeats):
        with meter.attached():
            run()
        by_part.append(meter.totals)
    medians = {part: statistics.median(totals[part] for totals in by_part) for part in by_part[0]}
    return Figures(statistics.median(all_seconds), all_seconds, medians, loaded, peak, gpu)


def seconds_of(run: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
