"""The training loop."""

from __future__ import annotations

import copy
import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import torch

from htdemucs_n.background import Background
from htdemucs_n.errors import OutputError
from htdemucs_n.files import is_file, remove_leftovers
from htdemucs_n.models.architectures import build_network
from htdemucs_n.models.names import weights_path
from htdemucs_n.models.storage import save_model
from htdemucs_n.training.bank import Song, StemBank
from htdemucs_n.training.batches import Batch, BatchSampler
from htdemucs_n.training.calibrate import calibrate, calibration_batches
from htdemucs_n.training.checkpoint import load_checkpoint, save_checkpoint
from htdemucs_n.training.config import SolverConfig, TrainConfig
from htdemucs_n.training.curve import Curve
from htdemucs_n.training.distributed import Ranks
from htdemucs_n.training.ema import EMA
from htdemucs_n.training.preflight import preflight
from htdemucs_n.training.record import record_run
from htdemucs_n.training.step import TrainingStep
from htdemucs_n.training.validate import mixture_scores, validate

log = logging.getLogger(__name__)


def learning_rate(config: SolverConfig, step: int) -> float:
    """The rate at `step`: linear warm-up, constant, and a cosine to 0 over the last `decay` share of all steps."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    decay_steps = max(1.0, config.decay * config.steps)
    into_decay = max(0.0, step - (config.steps - decay_steps)) / decay_steps
    return config.lr * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, into_decay)))


_IDLE_DB = 0.2
"""A stem's SDR above that of silence or of the mixture from which on it counts as learnt."""


class Solver:
    """Trains a model on a bank, validates on songs, writes into a folder.

        out/last.safetensors   the whole state, every few minutes; training goes on from it by itself
        out/best.safetensors   averaged weights of the best validation, ready for `separate -n`
        out/curve.csv, .png    the numbers

    A run that is stopped (Ctrl-C, SIGTERM) saves first. Of several ranks the first validates and writes.
    Raises `UserError` when nothing can be trained or written.
    """

    def __init__(
        self, config: TrainConfig, bank: StemBank, valid: tuple[Song, ...], ranks: Ranks | None = None
    ) -> None:
        self.config = config
        self.ranks = ranks or Ranks()
        self.device = torch.device(config.misc.device)
        self.out = Path(config.misc.out)
        torch.manual_seed(config.misc.seed)
        self.model = build_network(config.network).to(self.device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = EMA(self.model, config.solver.ema)
        rate, share = config.network.samplerate, config.distill.share
        self.sampler = BatchSampler(bank, config.dset, config.augment, rate, config.misc.seed, share)
        self.calibration = calibration_batches(config, bank)
        self.valid = valid
        self.trivial = mixture_scores(self.model.sources, valid) if valid else {}
        self.take_step = TrainingStep(self.model, config, self.ranks)
        self.step = 0
        self.minutes = 0.0
        self.best = -math.inf
        self.best_step = 0
        self.stopped = False
        self.report: Callable[[int, float], None] | None = None

    def restore(self) -> None:
        """Go on from `out/last.safetensors` if there is one, else from `continue_from` if it is set."""
        last = self.out / "last.safetensors"
        if is_file(last):
            path = last
        elif self.config.continue_from is not None:
            path = weights_path(self.config.continue_from)
        else:
            return
        optimizers = self.take_step.optimizers
        progress = load_checkpoint(path, self.model, self.ema, optimizers, other_stems=path != last)
        self.step = progress.get("step", 0)
        self.minutes = progress.get("minutes", 0.0)
        self.take_step.scaler.load_state_dict(progress.get("scaler", {}) or self.take_step.scaler.state_dict())
        if path == last:  # another folder's best is not in this one
            self.best = progress.get("best", -math.inf)
            self.best_step = progress.get("best_step", 0)
        log.info("continuing from %s at step %d", path, self.step)

    def train(self, report: Callable[[int, float], None] | None = None) -> float:
        """Run to the last step, or until stopped; returns the best mean validation SDR, dB.

        `report` is called after every step with its number, from 1, and its loss.
        """
        self.report = report
        curve = self._open_curve()
        if self.config.misc.preflight and self.step < self.config.solver.steps:
            batches = [self.sampler.batch(number) for number in range(self.config.solver.accumulate)]
            left = self.config.solver.steps - self.step
            preflight(self.model, lambda: self.take_step.backward(batches), left, self.device)
        handlers = {s: signal.signal(s, self._stop) for s in (signal.SIGINT, signal.SIGTERM)}
        data = Background(map(self.sampler.batch, self._batch_numbers()), ahead=0 if self.device.type == "cpu" else 2)
        try:
            self._loop(curve, data)
        finally:
            data.close()
            for number, handler in handlers.items():
                signal.signal(number, handler)
        self.save()
        return self.best

    def save(self) -> None:
        """Write `last.safetensors`."""
        if self.ranks.first:
            progress = {
                "step": self.step,
                "minutes": self.minutes,
                "best": self.best,
                "best_step": self.best_step,
                "scaler": self.take_step.scaler.state_dict(),
            }
            save_checkpoint(self.out / "last.safetensors", self.model, self.ema, self.take_step.optimizers, progress)

    def _loop(self, curve: Curve | None, data: Background[Batch]) -> None:
        solver = self.config.solver
        losses: list[float] = []
        started, saved, epoch_started = time.monotonic() - 60 * self.minutes, time.monotonic(), time.monotonic()
        while self.step < solver.steps and not self.ranks.any(self.stopped):
            batches = [data.next() for _ in range(solver.accumulate)]
            losses.append(self.take_step(batches, learning_rate(solver, self.step)))
            self.step += 1
            if self.report is not None:
                self.report(self.step, losses[-1])
            if not self.take_step.skipped:
                self.ema.update(self.model, self.step)
            self.minutes = (time.monotonic() - started) / 60
            if self.step % solver.epoch_steps == 0:
                waiting = data.waited / max(1e-9, time.monotonic() - epoch_started)
                if curve is not None:
                    self._validate(curve, losses, waiting)
                self.ranks.wait()
                if self._is_stale():
                    break
                losses.clear()
                data.waited, epoch_started = 0.0, time.monotonic()
            if time.monotonic() - saved > 60 * solver.checkpoint_minutes:
                self.save()
                saved = time.monotonic()

    def _batch_numbers(self) -> Iterator[int]:
        """The batches of this rank, from the present step on: the ranks of a step divide its batches."""
        accumulate, ranks = self.config.solver.accumulate, self.ranks
        for step in range(self.step, self.config.solver.steps):
            for turn in range(accumulate):
                yield (step * accumulate + turn) * ranks.count + ranks.rank

    def _open_curve(self) -> Curve | None:
        """The curve, on the first rank."""
        if not self.ranks.first:
            return None
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.out)
            record_run(self.config, self.step)
            return Curve(self.out, self.step)
        except OSError as error:
            raise OutputError(f"cannot write into '{self.out}' ({error}): set misc.out to another") from error

    def _validate(self, curve: Curve, losses: list[float], waiting: float) -> None:
        finite = [loss for loss in losses if math.isfinite(loss)]
        row = {
            "step": self.step,
            "minutes": self.minutes,
            "lr": self.take_step.optimizers[0].param_groups[0]["lr"],
            "loss": sum(finite) / max(1, len(finite)),
            "waiting": waiting,
        }
        if self.valid:
            model = copy.deepcopy(self.ema.model)
            calibrate(model, self.calibration, self.config.solver.calibration_batches)
            row |= validate(model, self.valid)
            self._warn_of_idle_stems(row)
            if row["mean"] > self.best:
                self.best, self.best_step = row["mean"], self.step
                scores = {k: round(row[k], 3) for k in (*self.model.sources, "mean")}
                save_model(self.out / "best.safetensors", model, {"step": self.step, "sdr": scores})
        try:
            curve.add(row)
        except OSError as error:
            raise OutputError(f"cannot write the events in '{self.out}' ({error}): free some space") from error
        log.info("  ".join(f"{key} {value:.4g}" for key, value in row.items()))

    def _warn_of_idle_stems(self, row: dict[str, float]) -> None:
        """Warn of stems that are not learnt: their scores are no better than those of silence or of the mixture."""
        if self.step <= self.config.solver.warmup_steps:
            return
        for name in self.model.sources:
            if row[name] < max(0.0, self.trivial[name]) + _IDLE_DB:
                log.warning(
                    "%s has not been learnt yet: it has %.2f dB, where silence has 0 and the mixture %.2f",
                    name,
                    row[name],
                    self.trivial[name],
                )

    def _is_stale(self) -> bool:
        """Whether there was no better validation in `patience` epochs."""
        patience = self.config.solver.patience * self.config.solver.epoch_steps
        stale = bool(patience and self.valid) and self.step - self.best_step >= patience
        if self.ranks.any(stale and self.ranks.first):
            log.info("the validation has not improved since step %d: the run stops", self.best_step)
            return True
        return False

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True
        log.info("the run stops after this step")
