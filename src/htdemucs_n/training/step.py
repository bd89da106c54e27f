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
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from htdemucs_n.training.batches import Batch
from htdemucs_n.training.config import TrainConfig
from htdemucs_n.training.distill import Teacher
from htdemucs_n.training.distributed import Ranks
from htdemucs_n.training.loss import SeparationLoss
from htdemucs_n.training.optimizers import build_optimizers

log = logging.getLogger(__name__)

_MOST_SKIPS = 10
"""Steps in a row that may come out infinite before the run gives up. Half precision needs a few to find its scale."""

_PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TrainingStep:
    """Moves `model` on the loss against the true stems and, where there is one, the teacher's."""

    def __init__(self, model: HTDemucs_n, config: TrainConfig, ranks: Ranks) -> None:
        self.model = model
        self.config = config.solver
        self.device = next(model.parameters()).device
        self.loss = SeparationLoss(config.solver.loss, config.solver.spectral_weight, model.samplerate)
        self.optimizers = build_optimizers(model, config.solver)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.solver.precision == "fp16")
        self.teacher_weight = config.distill.weight
        self.teacher = (
            Teacher(config.distill.teacher, model.sources, model.samplerate, config.dset.segment, self.device)
            if config.distill.teacher
            else None
        )
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
        if finite or self.scaler.is_enabled():  # the scaler skips by itself, and learns from it
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
            raise UserError(f"{self.skipped} steps in a row had no finite gradient: go on with a lower solver.lr")
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
            heard = None if self.teacher is None else self.teacher(batch.mixture)
        known = batch.labelled
        if known.all():
            loss: Tensor = self.loss(estimate, batch.stems, batch.cutoff)
        elif known.any():
            loss = self.loss(estimate[known], batch.stems[known], batch.cutoff[known]) * known.float().mean()
        else:
            loss = estimate.new_zeros(())
        return loss if heard is None else loss + self.teacher_weight * self.loss(estimate, heard)

    def _gradients_stay_here(self, stay: bool) -> contextlib.AbstractContextManager[None]:
        """Ranks exchange gradients once a step, after the last batch."""
        if stay and isinstance(self.forward, DistributedDataParallel):
            return self.forward.no_sync()
        return contextlib.nullcontext()
