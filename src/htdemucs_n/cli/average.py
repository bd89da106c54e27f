"""`htdemucs-n average`: one model from the weights of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from htdemucs_n.errors import UserError, require_packages


def average(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write, .safetensors.", show_default=False)],
    weights: Annotated[
        list[str],
        typer.Argument(
            metavar="CHECKPOINTS",
            help="Two or more checkpoints of one network, then keys of `train`: dset.train has the songs that set the "
            "statistics of batch norm, dset.valid those that are scored.",
            show_default=False,
        ),
    ],
) -> None:
    """Average the weights of several runs of one network, score the result and write it."""
    files = [Path(argument) for argument in weights if "=" not in argument]
    keys = [argument for argument in [*weights, *context.args] if "=" in argument]
    if len(files) < 2:
        raise UserError("the mean needs two checkpoints or more: htdemucs-n average OUT A B [key=value ...]")
    require_packages("average", "train", "torch", "hydra")

    from htdemucs_n.cli.compose import compose_config
    from htdemucs_n.models.storage import save_model
    from htdemucs_n.training.average import mean_model
    from htdemucs_n.training.calibrate import calibrate, calibration_batches
    from htdemucs_n.training.data import load_data
    from htdemucs_n.training.validate import validate

    model = mean_model(files)
    config = compose_config("n_train", [*keys, f"continue_from='{files[0]}'"])
    bank, valid = load_data(config)
    if bank.songs:
        calibrate(model, calibration_batches(config, bank), config.solver.calibration_batches)
    scores = {name: round(score, 3) for name, score in validate(model, valid).items()} if valid else {}
    save_model(out, model, {"mean_of": [file.name for file in files], "sdr": scores})
    typer.echo(f"{out}: " + ("  ".join(f"{name} {score:.2f} dB" for name, score in scores.items()) or "not scored"))
