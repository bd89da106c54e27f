"""One pass of a model over segments: levels taken out and put back, memory that runs out, a wish to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event

import torch
from torch import Tensor

from htdemucs_n.errors import Cancelled, UserError
from htdemucs_n.separation.runs import Estimate, SeparationModel


class Estimator:
    """Runs models on a device.

    Every segment is brought to mean 0 and standard deviation 1, over both channels, and its stems back; so no
    level of the whole song is needed, and a stream can be separated before its end is known. Silence gives silence
    without asking the model.
    """

    def __init__(self, device: torch.device, precision: torch.dtype) -> None:
        self.device = device
        self.precision = precision

    def bound(self, tick: Callable[[int], None], cancel: Event | None) -> Estimate:
        """The estimates for one song: `tick` gets the number of segments done, `cancel` stops before the next."""

        def estimate(model: SeparationModel, segments: Sequence[Tensor]) -> list[Tensor]:
            if cancel is not None and cancel.is_set():
                raise Cancelled
            stems = self.estimate(model, segments)
            tick(len(segments))
            return stems

        return estimate

    def estimate(self, model: SeparationModel, segments: Sequence[Tensor]) -> list[Tensor]:
        """Segments `(2, t)` of one length to their stems, each `(S, 2, t)` on the CPU.

        Raises:
            UserError: not enough memory for a single segment.
        """
        levels = [_level(segment) for segment in segments]
        heard = [
            (segment - mean) / deviation
            for segment, (mean, deviation) in zip(segments, levels, strict=True)
            if deviation > 0
        ]
        estimates = iter(self._run(model, torch.stack(heard)) if heard else [])
        return [
            next(estimates) * deviation if deviation > 0 else segment.new_zeros(len(model.sources), *segment.shape)
            for segment, (_, deviation) in zip(segments, levels, strict=True)
        ]

    @property
    def _reduced(self) -> bool:
        return self.precision != torch.float32

    def _run(self, model: SeparationModel, batch: Tensor) -> list[Tensor]:
        """`(B, 2, t)` to B of `(S, 2, t)`; a batch that memory has no room for is halved."""
        try:
            with torch.inference_mode(), torch.autocast(self.device.type, self.precision, self._reduced):
                return list(model(batch.to(self.device)).float().cpu())
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
        if len(batch) == 1:
            raise UserError(f"not enough memory on {self.device}: use a smaller segment, or the device cpu")
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(batch) // 2
        return self._run(model, batch[:half]) + self._run(model, batch[half:])


def _level(segment: Tensor) -> tuple[float, float]:
    """Mean and standard deviation over both channels; the latter 0 for silence, or what is too near it to divide by.

    Not from the mono sum: that of anti-phase stereo (L = -R) is silent, and would have no level.
    """
    deviation, mean = (float(x) for x in torch.std_mean(segment.double(), correction=0))
    return mean, deviation if deviation >= torch.finfo(torch.float32).tiny else 0.0


def _out_of_memory(error: Exception) -> bool:
    """Whether this is memory that ran out, on any device; torch says it of a CPU in words alone."""
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or "alloc" in str(error).lower()
