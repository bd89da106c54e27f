"""`htdemucs-n train`: compose the configuration, load the stems, train."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from htdemucs_n.errors import UserError, suggestion

if TYPE_CHECKING:
    from htdemucs_n.training.config import TrainConfig


def train(
    context: typer.Context,
    config_name: Annotated[str, typer.Option(help="File of conf/ to start from, without .yaml.")] = "n_train",
) -> None:
    """Train a model: `htdemucs-n train preset=small dset.train=[songs] dset.valid=[held_out] solver.epochs=10`."""
    config = compose_config(config_name, context.args)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")

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
        logging.info("%d songs, %.1f minutes; %d to validate", len(bank.songs), bank.minutes, len(valid))
        solver = Solver(config, bank, valid, ranks)
        solver.restore()
        best = solver.train()
    if ranks.first:
        score = f"best mean SDR {best:.3f} dB" if valid else "not validated"
        typer.echo(f"step {solver.step}, {score}, in {config.misc.out}")


def compose_config(config_name: str, overrides: list[str]) -> TrainConfig:
    """The configuration of a run with its overrides, its device chosen. Raises `UserError` for any mistake."""
    values = _compose(config_name, overrides)
    from htdemucs_n.separation.device import choose_device
    from htdemucs_n.training.config import TrainConfig

    values["misc"]["device"] = str(choose_device(values["misc"]["device"]))
    return TrainConfig.from_dict(values)


def _compose(config_name: str, overrides: list[str]) -> dict[str, Any]:
    """The configuration with its overrides as plain types. Raises `UserError` with one line for any mistake."""
    try:
        from hydra import compose, initialize_config_module
        from hydra.errors import ConfigCompositionException, HydraException
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException
    except ImportError as error:
        raise UserError(f"training needs its extra packages ({error.name}): pip install 'htdemucs-n[train]'") from error
    try:
        with initialize_config_module("htdemucs_n.conf", version_base="1.3"):
            known = compose(config_name)
            config = compose(config_name, overrides)
            values: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    except ConfigCompositionException as error:
        unknown = re.match(r"Could not override '(.+?)'", str(error))
        if unknown is None:
            raise UserError(f"config: {_one_line(error)}") from error
        hint = suggestion(unknown[1], _dotted(known))
        raise UserError(f"unknown config key '{unknown[1]}': {hint}") from error
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"config: {_one_line(error)}") from error
    return values


def _dotted(values: Mapping[Any, Any], prefix: str = "") -> list[str]:
    """All keys of nested mappings, as overrides name them."""
    nested = [_dotted(value, f"{prefix}{key}.") for key, value in values.items() if isinstance(value, Mapping)]
    return [f"{prefix}{key}" for key in values] + [key for keys in nested for key in keys]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
