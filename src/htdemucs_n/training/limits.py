"""Between which numbers the value of a config key lies, beside its type: `share: Share = 0.25`.

The limits of a key stand where the key is declared, so an effect of `augment` brings its own.
"""

from __future__ import annotations

import math
import typing
from dataclasses import dataclass
from typing import Annotated, Any

from htdemucs_n.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """A finite number from `low` to `high`; of a `pair`, two such numbers of which the second is not the lower."""

    low: float
    high: float = math.inf
    pair: bool = False

    def check(self, key: str, value: Any) -> None:
        """Raise `ConfigError` that says what to give unless `value`, of the config key `key`, fits."""
        numbers = list(value) if self.pair else [value]
        fits = all(is_number(number) and self.low <= number <= self.high for number in numbers)
        if self.pair:
            fits = fits and len(numbers) == 2 and numbers[0] <= numbers[1]
        if not fits:
            shown = numbers if self.pair else value
            span = f"from {self.low:g} to {self.high:g}" if math.isfinite(self.high) else f"of {self.low:g} or more"
            use = f"two numbers {span}, the lower one first: [a,b]" if self.pair else f"a number {span}"
            raise ConfigError(f"config key '{key}' is {shown}: use {use}")


Share = Annotated[float, Limits(0, 1)]
"""A share of all cases, or a probability."""


def is_number(value: Any) -> bool:
    """Whether `value` is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_limits(section: str, config: Any) -> None:
    """Check the fields of the dataclass `config` that have `Limits`. Raises `ConfigError` that names the key."""
    for key, hint in typing.get_type_hints(type(config), include_extras=True).items():
        for limits in getattr(hint, "__metadata__", ()):
            limits.check(f"{section}.{key}", getattr(config, key))
