"""One optimiser step: forward, loss, backward over the accumulated batches, clipping, update."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from htdemucs_n.errors import UserError
from htdemucs_n.models.architectures import Network
from htdemucs_n.training.batches import Batch
from htdemucs_n.training.config import TrainConfig
from htdemucs_n.training.distributed import Ranks
from htdemucs_n.training.loss import SeparationLoss
from htdemucs_n.training.optimizers import build_optimizers

log = logging.getLogger(__name__)

_MOST_SKIPS = 10
"""Steps in a row that may be infinite before the run stops: the loss scale of half precision needs a few to settle."""

_PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TrainingStep:
    """Moves `model` one step down the loss of some batches."""

    def __init__(self, model: Network, config: TrainConfig, ranks: Ranks) -> None:
        self.model = model
        self.config = config.solver
        self.device = next(model.parameters()).device
        self.loss = SeparationLoss(config.solver.loss, model.samplerate, config.distill.weight)
        self.optimizers = build_optimizers(model, config.solver)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.solver.precision == "fp16")
        self.forward: torch.nn.Module = torch.compile(model) if config.solver.compile else model  # type: ignore[assignment]
        if ranks.count > 1:
            self.forward = DistributedDataParallel(self.forward)
        self.skipped = 0
        """Steps skipped in a row."""

    def __call__(self, batches: Sequence[Batch], rate: float) -> float:
        """Take a step of learning rate `rate`; returns the loss, NaN where the step was skipped.

        A loss or gradient that is not finite leaves the weights as they are. Raises `UserError` after ten in a row.
        """
        value = self.backward(batches)
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip).item()
        # The norm is that of the gradients of all ranks, so all ranks decide alike.
        finite = math.isfinite(norm)
        if finite or self.scaler.is_enabled():  # the scaler skips the step itself, and lowers its scale
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate
                self.scaler.step(optimizer)
            self.scaler.update()
        if finite:
            self.skipped = 0
            return value
        self.skipped += 1
        log.warning("skipped a step: its loss is %g, its gradient %g (%d in a row)", value, norm, self.skipped)
        if self.skipped >= _MOST_SKIPS:
            raise UserError(f"{self.skipped} steps in a row had no finite gradient: continue with a lower solver.lr")
        return math.nan

    def backward(self, batches: Sequence[Batch]) -> float:
        """Set the gradients to those of the mean loss over `batches`, which it returns."""
        self.model.zero_grad(set_to_none=True)
        total = 0.0
        for number, batch in enumerate(batches, 1):
            with self._gradients_stay_here(number < len(batches)):
                loss = self._loss(batch) / len(batches)
                self.scaler.scale(loss).backward()
            total += loss.item()
        return total

    def _loss(self, batch: Batch) -> Tensor:
        dtype = _PRECISIONS.get(self.config.precision, torch.float32)
        with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
            estimate = self.forward(batch.mixture).float()
        loss: Tensor = self.loss(estimate, batch)
        return loss

    def _gradients_stay_here(self, stay: bool) -> contextlib.AbstractContextManager[None]:
        """Ranks exchange gradients once a step, after the last batch."""
        if stay and isinstance(self.forward, DistributedDataParallel):
            return self.forward.no_sync()
        return contextlib.nullcontext()
