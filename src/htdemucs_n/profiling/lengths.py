"""Time and peak memory over the length of the song, through the code that `separate` runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from htdemucs_n.errors import UserError
from htdemucs_n.memory import peak_rss_mib
from htdemucs_n.profiling.devices import gpu_peak_mib
from htdemucs_n.profiling.fresh_process import in_fresh_process
from htdemucs_n.profiling.passes import Settings, open_separator, seconds_of
from htdemucs_n.profiling.profiled_model import ProfiledModel


@dataclass(frozen=True)
class LengthMeasurement:
    """A song of `length` seconds through `Separator.stream`: seconds, MiB; None and a `note` where it could not be."""

    model: str
    length: float
    seconds: float | None
    peak_rss_mib: float | None
    gpu_mib: float | None
    note: str = ""


def measure_lengths(
    model: ProfiledModel, settings: Settings, lengths: Sequence[float], progress: Callable[[], None]
) -> list[LengthMeasurement]:
    """Separate noise of each of `lengths` (seconds), each in a fresh process; `progress` is called after each."""
    rows = []
    for length in lengths:
        try:
            rows.append(in_fresh_process(_measure, model, settings, length))
        except (MemoryError, UserError) as error:
            rows.append(LengthMeasurement(model.title, length, None, None, None, str(error)))
        progress()
    return rows


def _measure(model: ProfiledModel, settings: Settings, length: float) -> LengthMeasurement:
    separator = open_separator(model, settings)
    rate = separator.engine.samplerate

    def separate(seconds: float) -> None:
        for _ in separator.stream(_noise(seconds, rate), rate):
            pass  # nothing is kept, as in `separate`, which writes the stems to files

    separate(1)  # sets kernels up
    seconds = seconds_of(lambda: separate(length))
    return LengthMeasurement(
        model.title, length, seconds, peak_rss_mib(), gpu_peak_mib(torch.device(separator.engine.device))
    )


def _noise(seconds: float, rate: int) -> Iterator[NDArray[np.float32]]:
    """Blocks `(2, n)` of a second of noise, always the same: the time does not depend on what the samples are."""
    block = np.random.default_rng(0).uniform(-0.1, 0.1, (2, rate)).astype(np.float32)
    left = round(seconds * rate)
    while left > 0:
        yield block[:, :left]
        left -= rate
