"""What kind of value a config key takes, from its annotation."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from htdemucs_n.errors import ConfigError, suggestion

_KINDS: dict[Any, tuple[Any, str]] = {
    float: (int | float, "a number"),
    int: (int, "a whole number"),
    bool: (bool, "true or false"),
    str: (str, "a word"),
    tuple: (list | tuple, "a list, [a,b]"),
    Mapping: (Mapping, "one of its keys"),
}


def check_kind(key: str, value: Any, annotation: Any) -> None:
    """Check that `value` is what the config key `key` takes; YAML's lists stand for tuples, mappings for dataclasses.

    Raises `UserError` that says what to give. Annotations of several types take anything.
    """
    kind = typing.get_origin(annotation) or annotation
    accepted, words = _KINDS.get(Mapping if dataclasses.is_dataclass(kind) else kind, (object, ""))
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind in (int, float)):
        raise ConfigError(f"config key '{key}' is '{value}': give {words}")


def check_choice(key: str, value: Any, allowed: Collection[str]) -> None:
    """Raise `UserError` unless `value` is one of the words `allowed`."""
    if value not in allowed:
        raise ConfigError(f"config key '{key}' is '{value}': use one of {', '.join(allowed)}")


def check_names(values: Mapping[str, Any], known: Iterable[str], section: str = "") -> None:
    """Raise `UserError` with the nearest right name for a key of a `section` that is none of those `known`."""
    prefix = f"{section}." if section else ""
    names = [f"{prefix}{name}" for name in known]
    for key in values:
        if f"{prefix}{key}" not in names:
            raise ConfigError(f"unknown config key '{prefix}{key}': {suggestion(f'{prefix}{key}', names)}")


def check_keys(config: Any, from_zero: Collection[str] = ()) -> None:
    """Check every field of the dataclass `config`: its kind, and that numbers are above 0, or may be 0 if `from_zero`.

    Choices are checked by `check_choice`, whose message has the choices. Raises `UserError`.
    """
    for key, kind in typing.get_type_hints(type(config)).items():
        value = getattr(config, key)
        if kind is not str:
            check_kind(key, value, kind)
        if kind in (int, float) and (value < 0 or (value == 0 and key not in from_zero)):
            lowest = "0 or more" if key in from_zero else "a number above 0"
            raise ConfigError(f"config key '{key}' is '{value}': give {lowest}")
        if isinstance(value, list | tuple) and not value:
            raise ConfigError(f"config key '{key}' is '{value}': give a list of one or more")
