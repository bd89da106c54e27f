"""The configuration of a run from `conf/` and the command line, with Hydra."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htdemucs_n.errors import UserError, require_packages, suggestion

if TYPE_CHECKING:
    from htdemucs_n.training.config import TrainConfig


def compose_config(config_name: str, overrides: Sequence[str]) -> TrainConfig:
    """The configuration of a run with its overrides, its device chosen.

    With `continue_from` the network is that of the checkpoint, but for the keys of the network among `overrides`.
    Raises `UserError` for any mistake.
    """
    values = compose_values(config_name, overrides)
    from htdemucs_n.engines.device import choose_device
    from htdemucs_n.training.config import TrainConfig

    if values["continue_from"] is not None:
        _take_network_of_checkpoint(values, overrides)
    values["misc"]["device"] = str(choose_device(values["misc"]["device"]))
    return TrainConfig.from_dict(values)


def compose_values(config_name: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration with its overrides as plain types. Raises `UserError` with one line for any mistake."""
    require_packages("training", "train", "torch", "hydra", "omegaconf")
    from hydra import compose, initialize_config_module
    from hydra.errors import ConfigCompositionException, HydraException, OverrideParseException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_module("htdemucs_n.conf", version_base="1.3"):
            known = compose(config_name)
            config = compose(config_name, [_readable(override) for override in overrides])
            values: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    except OverrideParseException as error:
        key, found, value = str(error.override).partition("=")
        what = f"config key '{key}' is '{value}', which" if found else f"argument '{key}'"
        raise UserError(f"{what} cannot be read: check its brackets and quotes") from error
    except ConfigCompositionException as error:
        unknown = re.match(r"Could not override '(.+?)'", str(error))
        if unknown is None:
            raise UserError(f"config: {_one_line(error)}") from error
        hint = suggestion(unknown[1], _dotted(known))
        raise UserError(f"unknown config key '{unknown[1]}': {hint}") from error
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"config: {_one_line(error)}") from error
    return values


def _take_network_of_checkpoint(values: dict[str, Any], overrides: Sequence[str]) -> None:
    """Put the network of `continue_from` into `values`, under the keys that the command line sets itself."""
    from htdemucs_n.models.names import weights_path
    from htdemucs_n.models.storage import load_metadata

    metadata = load_metadata(Path(weights_path(values["continue_from"])))
    if not isinstance(metadata.get("config"), dict):
        return  # the solver raises the error that names the file
    model = str(metadata.get("architecture", "htdemucs_n"))
    named = [override.partition("=")[0].lstrip("+") for override in overrides]
    kept = {key: value for key, value in values.get(model, {}).items() if f"{model}.{key}" in named}
    values["model"] = model
    values[model] = metadata["config"] | kept


def _readable(override: str) -> str:
    """An override in Hydra's grammar: where that can't read a list or a word, its elements are put into quotes.

    Paths with letters such as ö, with & or with an apostrophe need quotes, which the shell takes off.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        key, found, value = override.partition("=")
        if found and value[:1] == "[" and value[-1:] == "]":
            return f"{key}=[{','.join(_quoted(element) for element in value[1:-1].split(','))}]"
        return f"{key}={_quoted(value)}" if found and value[:1] not in ("[", "{") else override
    return override


def _quoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return f"'{escaped}'"


def _dotted(values: Mapping[Any, Any], prefix: str = "") -> list[str]:
    """All keys of nested mappings, as overrides name them."""
    nested = [_dotted(value, f"{prefix}{key}.") for key, value in values.items() if isinstance(value, Mapping)]
    return [f"{prefix}{key}" for key in values] + [key for keys in nested for key in keys]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
