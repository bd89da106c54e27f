"""What kind of value a config key takes, from its annotation."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from htdemucs_n.errors import UserError

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
        raise UserError(f"config key '{key}' is '{value}': give {words}")
