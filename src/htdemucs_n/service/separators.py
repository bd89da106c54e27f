"""The models and engines that a job may name: what is installed, and never a path."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

from pydantic import BaseModel, Field

from htdemucs_n.engines.choose import ENGINES
from htdemucs_n.errors import OptionError, suggestion
from htdemucs_n.models.names import OFFICIAL_MODELS, available_models, describe_model
from htdemucs_n.separation import Separator

AUTO = "auto"
"""The engine that the server was started with, by default that which suits the computer."""

Load = Callable[[str, str, bool], Separator]
"""From the names of a model and of an engine, and whether the parts of the drums are wanted, to a separator.

Raises `UserError` where it cannot be loaded.
"""


class KnownModel(BaseModel):
    """A model that a job may name."""

    name: str
    description: str = Field(description="its SDR on the validation songs, or what it is")


class Separators:
    """The separator of the service, and one more that was asked for last: so much fits into memory.

    Args:
        default: the separator of jobs that name no model.
        model: the name of its model.
        load: loads others; None: there are no others.
    """

    def __init__(self, default: Separator, model: str, load: Load | None = None) -> None:
        self.default, self.model = default, model
        self._load = load
        self._last: tuple[tuple[str, str, bool], Separator] | None = None

    def models(self) -> list[KnownModel]:
        """The models that may be named; the default one first."""
        first = KnownModel(name=self.model, description=_describe(self.model))
        if self._load is None:
            return [first]
        names = [*available_models(), *(OFFICIAL_MODELS if find_spec("demucs") else ())]
        return [first, *(KnownModel(name=name, description=_describe(name)) for name in names if name != self.model)]

    def engines(self) -> list[str]:
        """The engines that may be named: those that are installed."""
        return [AUTO, *(name for name, (package, _) in ENGINES.items() if self._load and find_spec(package))]

    def check(self, model: str, engine: str, drum_kit: bool = False) -> None:
        """Raise `OptionError` for a model or an engine that may not be named, or a drum kit where there is none."""
        if drum_kit and self._load is None:
            raise OptionError("this service has no drum kit")
        names = [known.name for known in self.models()]
        if model not in names:
            raise OptionError(f"unknown model '{model}': {suggestion(model, names)}")
        if engine not in self.engines():
            raise OptionError(f"unknown engine '{engine}': {suggestion(engine, self.engines())}")

    def get(self, model: str, engine: str, drum_kit: bool = False) -> Separator:
        """The separator of a model and an engine. Raises `UserError` where it cannot be loaded."""
        wanted = (model, engine, drum_kit)
        if wanted == (self.model, AUTO, False):
            return self.default
        if self._last is None or self._last[0] != wanted:
            self._last = None  # before the next is loaded
            self.check(*wanted)
            assert self._load is not None
            self._last = (wanted, self._load(*wanted))
        return self._last[1]


@cache
def _describe(name: str) -> str:
    if name in OFFICIAL_MODELS:
        return OFFICIAL_MODELS[name]
    if name not in available_models():
        return ""
    score = describe_model(name).sdr
    return "" if score is None else f"{score:.2f} dB"
