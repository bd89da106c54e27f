"""The training loop."""

from __future__ import annotations

import copy
import logging
import math
import signal
import time
from pathlib import Path
from types import FrameType

import torch

from htdemucs_n.errors import UserError
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from htdemucs_n.models.registry import weights_path
from htdemucs_n.models.storage import save_model
from htdemucs_n.training.bank import Song, StemBank
from htdemucs_n.training.batches import BatchSampler
from htdemucs_n.training.calibrate import calibrate, calibration_batches
from htdemucs_n.training.checkpoint import load_checkpoint, parameter_groups, save_checkpoint
from htdemucs_n.training.config import SolverConfig, TrainConfig
from htdemucs_n.training.curve import Curve
from htdemucs_n.training.ema import EMA
from htdemucs_n.training.loss import SeparationLoss
from htdemucs_n.training.validate import validate

log = logging.getLogger(__name__)


def learning_rate(config: SolverConfig, step: int) -> float:
    """The rate at `step`: linear warm-up, constant, and a cosine to 0 over the last `decay` share of all steps."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    decay_steps = max(1.0, config.decay * config.steps)
    into_decay = max(0.0, step - (config.steps - decay_steps)) / decay_steps
    return config.lr * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, into_decay)))


class Solver:
    """Trains a model on a bank, validates on songs, writes into a folder.

        out/last.safetensors   the whole state, every few minutes; training goes on from it by itself
        out/best.safetensors   averaged weights of the best validation, ready for `separate -n`
        out/curve.csv, .png    the numbers

    A run that is stopped (Ctrl-C, SIGTERM) saves first. Raises `UserError` when nothing can be
    trained or written.
    """

    def __init__(self, config: TrainConfig, bank: StemBank, valid: tuple[Song, ...]) -> None:
        self.config = config
        self.device = torch.device(config.misc.device)
        self.out = Path(config.misc.out)
        torch.manual_seed(config.misc.seed)
        self.model = HTDemucs_n(config.htdemucs_n).to(self.device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = EMA(self.model, config.solver.ema)
        self.loss = SeparationLoss(config.solver.spectral_weight)
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.model, config.solver.weight_decay),
            lr=config.solver.lr,
            betas=(0.9, config.solver.beta2),
            fused=True,
        )
        self.sampler = BatchSampler(bank, config.dset, config.augment, config.htdemucs_n.samplerate, config.misc.seed)
        self.calibration = calibration_batches(config, bank)
        self.valid = valid
        self.step = 0
        self.minutes = 0.0
        self.best = -math.inf
        self.stopped = False

    def restore(self) -> None:
        """Go on from `out/last.safetensors` if there is one, else from `continue_from` if it is set."""
        last = self.out / "last.safetensors"
        if last.exists():
            path = last
        elif self.config.continue_from is not None:
            path = weights_path(self.config.continue_from)
        else:
            return
        progress = load_checkpoint(path, self.model, self.ema, self.optimizer)
        self.step = progress.get("step", 0)
        self.minutes = progress.get("minutes", 0.0)
        if path == last:  # another folder's best is not in this one
            self.best = progress.get("best", -math.inf)
        log.info("going on from %s, step %d", path, self.step)

    def train(self) -> float:
        """Run to the last step, or until stopped; returns the best mean validation SDR, dB."""
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            curve = Curve(self.out)
        except OSError as error:
            raise UserError(f"cannot write into '{self.out}' ({error}): set misc.out to another") from error
        handlers = {s: signal.signal(s, self._stop) for s in (signal.SIGINT, signal.SIGTERM)}
        started, saved, losses = time.monotonic() - 60 * self.minutes, time.monotonic(), []
        try:
            while self.step < self.config.solver.steps and not self.stopped:
                losses.append(self._train_step())
                self.minutes = (time.monotonic() - started) / 60
                if self.step % self.config.solver.epoch_steps == 0:
                    self._validate(curve, sum(losses) / len(losses))
                    losses.clear()
                if time.monotonic() - saved > 60 * self.config.solver.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        self.save()
        return self.best

    def save(self) -> None:
        """Write `last.safetensors`."""
        progress = {"step": self.step, "minutes": self.minutes, "best": self.best}
        save_checkpoint(self.out / "last.safetensors", self.model, self.ema, self.optimizer, progress)

    def _train_step(self) -> float:
        """One optimiser step; returns the loss."""
        solver = self.config.solver
        stems = self.sampler.batch(self.step)  # (B, S, C, T)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(solver, self.step)
        self.model.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=solver.precision == "bf16"):
            estimate = self.model(stems.sum(dim=1))
        loss = self.loss(estimate.float(), stems)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), solver.clip)
        value = float(loss.item())
        # Before the weights move: a checkpoint never holds what cannot be gone on from.
        if not math.isfinite(value + norm.item()):
            raise UserError(
                f"the loss is {value} and its gradient {norm.item():.3g} at step {self.step}: "
                "go on from the checkpoint with a lower solver.lr"
            )
        self.optimizer.step()
        self.step += 1
        self.ema.update(self.model, self.step)
        return value

    def _validate(self, curve: Curve, loss: float) -> None:
        row = {
            "step": self.step,
            "minutes": self.minutes,
            "lr": self.optimizer.param_groups[0]["lr"],
            "loss": loss,
        }
        if self.valid:
            model = copy.deepcopy(self.ema.model)
            calibrate(model, self.calibration, self.config.solver.calibration_batches)
            row |= validate(model, self.valid)
            if row["mean"] > self.best:
                self.best = row["mean"]
                scores = {k: round(row[k], 3) for k in (*self.model.sources, "mean")}
                save_model(self.out / "best.safetensors", model, {"step": self.step, "sdr": scores})
        try:
            curve.add(row)
        except OSError as error:
            raise UserError(
                f"cannot write {self.out / 'curve.csv'} or its picture ({error}): free some space"
            ) from error
        log.info("  ".join(f"{key} {value:.4g}" for key, value in row.items()))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True
        log.info("stopping after this step")
