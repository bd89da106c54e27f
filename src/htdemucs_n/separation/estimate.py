"""One pass of a model over segments: level normalisation, halving of batches that do not fit in memory, cancelling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event

import torch
from torch import Tensor

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

        def estimate(segments: Sequence[Tensor]) -> list[Tensor]:
            if cancel is not None and cancel.is_set():
                raise Cancelled
            stems = self.estimate(segments)
            report(len(segments))
            return stems

        return estimate

    def estimate(self, segments: Sequence[Tensor]) -> list[Tensor]:
        """Segments `(2, t)` of one length to their stems, each `(S, 2, t)` on the CPU.

        Raises:
            UserError: not enough memory for a single segment.
        """
        levels = [_level(segment) for segment in segments]
        normalised = [
            (segment - mean) / deviation
            for segment, (mean, deviation) in zip(segments, levels, strict=True)
            if deviation > 0
        ]
        estimates = iter(self._run(torch.stack(normalised)) if normalised else [])
        stems = len(self._engine.sources)
        return [
            next(estimates) * deviation if deviation > 0 else segment.new_zeros(stems, *segment.shape)
            for segment, (_, deviation) in zip(segments, levels, strict=True)
        ]

    def _run(self, batch: Tensor) -> list[Tensor]:
        """`(B, 2, t)` to B of `(S, 2, t)`; a batch that does not fit in memory is halved."""
        try:
            return list(torch.from_numpy(self._engine.separate(batch.numpy())))
        except MemoryError:
            if len(batch) == 1:
                raise DeviceError(
                    f"not enough memory on {self._engine.device}: use a smaller segment, or the device cpu"
                ) from None
        half = len(batch) // 2
        return self._run(batch[:half]) + self._run(batch[half:])


def _level(segment: Tensor) -> tuple[float, float]:
    """Mean and standard deviation over both channels; the latter is 0 for silence and for a level that is too low.

    Not from the mono sum: that of anti-phase stereo (L = -R) is silent and has no level.
    """
    deviation, mean = (float(x) for x in torch.std_mean(segment.double(), correction=0))
    return mean, deviation if deviation >= torch.finfo(torch.float32).tiny else 0.0
