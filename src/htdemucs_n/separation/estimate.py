"""One pass of a model over segments: level normalisation, halving of batches that do not fit in memory, cancelling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from threading import Event

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.engines.engine import Engine
from htdemucs_n.errors import Cancelled, DeviceError
from htdemucs_n.separation.shifts import Estimate


class Estimator:
    """Runs an engine.

    Every segment is normalised to mean 0 and standard deviation 1, over both channels, and its stems are scaled back:
    so no level of the whole song is needed, and a stream can be separated before its end is known. Silence gives
    silence without running the model.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def for_song(self, report: Callable[[int], None], cancel: Event | None) -> Estimate:
        """`estimate` for one song: `report` is called with the number of segments done, `cancel` stops the work."""

        def estimate(segments: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
            if cancel is not None and cancel.is_set():
                raise Cancelled
            stems = self.estimate(segments)
            report(len(segments))
            return stems

        return estimate

    def estimate(self, segments: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Segments `(2, t)` of one length to their stems, each `(S, 2, t)`.

        Raises:
            UserError: not enough memory for a single segment.
        """
        levels = [_level(segment) for segment in segments]
        loud = [index for index, (_, deviation) in enumerate(levels) if deviation > 0]
        stems = [np.zeros((len(self._engine.sources), *segment.shape), np.float32) for segment in segments]
        if not loud:
            return stems
        normalised = np.empty((len(loud), *segments[0].shape), np.float32)
        for samples, index in zip(normalised, loud, strict=True):
            mean, deviation = levels[index]
            np.subtract(segments[index], mean, out=samples)
            samples /= deviation
        for estimate, index in zip(self._run(normalised), loud, strict=True):
            stems[index] = np.multiply(estimate, levels[index][1], out=estimate)
        return stems

    def _run(self, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """`(B, 2, t)` to B of `(S, 2, t)`; a batch that does not fit in memory is halved."""
        try:
            return list(self._engine.separate(batch))
        except MemoryError:
            if len(batch) == 1:
                device = self._engine.device
                other = "end other programs" if device == "cpu" else "use the device cpu"
                raise DeviceError(f"not enough memory on {device}: use a smaller segment, or {other}") from None
        half = len(batch) // 2
        return self._run(batch[:half]) + self._run(batch[half:])


def _level(segment: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and standard deviation over both channels; the latter is 0 for silence and for a level that is too low.

    Not from the mono sum: that of anti-phase stereo (L = -R) is silent and has no level.
    """
    samples = segment.astype(np.float64)
    mean = float(samples.mean())
    samples -= mean
    deviation = math.sqrt(np.square(samples, out=samples).mean())
    return mean, deviation if deviation >= np.finfo(np.float32).tiny else 0.0
