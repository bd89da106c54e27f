"""`htdemucs-n train`: compose the configuration, load the stems, train."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import time
from collections import deque
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer

from htdemucs_n.cli.compose import compose_config
from htdemucs_n.tables import counted

if TYPE_CHECKING:
    from htdemucs_n.training.solver import Solver


_SECONDS_A_LINE = 60.0
"""Between two lines on the progress of a run whose log is not a terminal."""


def train(
    context: typer.Context,
    config_name: Annotated[
        str, typer.Option(help="Name of the configuration file in conf/, without .yaml.")
    ] = "n_train",
) -> None:
    """Train a model: `htdemucs-n train preset=small "dset.train=[songs]" "dset.valid=[held_out]"`.

    Arguments of the form KEY=VALUE set keys of the configuration; conf/n_train.yaml lists all keys with their defaults.
    The same command continues a run that was interrupted.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    config = compose_config(config_name, context.args)

    from htdemucs_n.memory import keep_freed_memory
    from htdemucs_n.models.architectures import build_network
    from htdemucs_n.training.data import load_data
    from htdemucs_n.training.distributed import joined_ranks
    from htdemucs_n.training.solver import Solver

    keep_freed_memory()
    if config.misc.show:
        model = build_network(config.network)
        typer.echo(model)
        typer.echo(f"{sum(p.numel() for p in model.parameters()):,} parameters")
        return
    with joined_ranks(config.solver.ddp, config.misc.device) as ranks:
        config = dataclasses.replace(config, misc=dataclasses.replace(config.misc, device=ranks.device))
        bank, valid = load_data(config)
        logging.info("%s, %.1f minutes; %d to validate", counted(len(bank.songs), "song"), bank.minutes, len(valid))
        solver = Solver(config, bank, valid, ranks)
        solver.restore()
        best = _train_with_progress(solver) if ranks.first else solver.train()
    if ranks.first:
        score = f"best mean SDR {best:.3f} dB" if valid else "not validated"
        typer.echo(f"step {solver.step}, {score}, in {config.misc.out}")


def _train_with_progress(solver: Solver) -> float:
    """Train under a progress bar with the recent loss and the time left; without a terminal, a line per minute."""
    from htdemucs_n.cli.progress import progress_bar

    started, first, said = time.monotonic(), solver.step, time.monotonic()
    losses: deque[float] = deque(maxlen=50)
    total = solver.config.solver.steps
    with progress_bar() as bar:
        task = bar.add_task("", total=total, completed=solver.step)

        def report(step: int, loss: float) -> None:
            nonlocal said
            losses.append(loss)
            words = f"step {step} of {total}, loss {fmean(losses):.4f}"
            bar.update(task, completed=step, description=words)
            now = time.monotonic()
            if bar.disable and now - said >= _SECONDS_A_LINE:
                said = now
                left = datetime.timedelta(seconds=round((now - started) / (step - first) * (total - step)))
                logging.info("%s, time left %s", words, left)

        return solver.train(report)
