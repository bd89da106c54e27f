"""The models and engines that a job may name: what is installed, and never a path."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

from pydantic import BaseModel, Field

from htdemucs_n.engines.choose import ENGINES
from htdemucs_n.errors import OptionError, suggestion
from htdemucs_n.models.names import OFFICIAL_MODELS, available_models, describe_model, is_scored_as_default
from htdemucs_n.separation import Separator
from htdemucs_n.separation.drum_kit import DRUMS

AUTO = "auto"
"""The engine that the server was started with, by default that which suits the computer."""

Load = Callable[[str, str, bool], Separator]
"""From the names of a model and of an engine, and whether the parts of the drums are wanted, to a separator.

Raises `UserError` where it cannot be loaded.
"""


class KnownModel(BaseModel):
    """A model that a job may name."""

    name: str
    description: str = Field(
        description="its SDR on the validation songs, for a shipped model with the stems of the default one; "
        "otherwise its stems, or what it is"
    )
    drum_kit: bool = Field(description="whether it separates drums, which drum_kit can take apart")


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
        has_drum_kit = self._load is not None and DRUMS in self.default.sources
        first = _known(self.model).model_copy(update={"drum_kit": has_drum_kit})
        if self._load is None:
            return [first]
        names = [*available_models(), *(OFFICIAL_MODELS if find_spec("demucs") else ())]
        return [first, *(_known(name) for name in names if name != self.model)]

    def engines(self) -> list[str]:
        """The engines that may be named: those that are installed."""
        return [AUTO, *(name for name, (package, _) in ENGINES.items() if self._load and find_spec(package))]

    def check(self, model: str, engine: str, drum_kit: bool = False) -> None:
        """Raise `OptionError` for a model or an engine that may not be named, or a drum kit where there is none."""
        if drum_kit and self._load is None:
            raise OptionError("this service has no drum kit")
        known = {known.name: known for known in self.models()}
        if model not in known:
            raise OptionError(f"unknown model '{model}': {suggestion(model, known)}")
        if drum_kit and not known[model].drum_kit:
            raise OptionError(f"the model '{model}' separates no drums: choose another model, or leave drum_kit out")
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
def _known(name: str) -> KnownModel:
    """What a name tells by itself: of a model that is neither shipped nor official, nothing."""
    if name in OFFICIAL_MODELS:
        return KnownModel(name=name, description=OFFICIAL_MODELS[name], drum_kit=True)
    if name not in available_models():
        return KnownModel(name=name, description="", drum_kit=False)
    model = describe_model(name)
    score = "" if model.sdr is None else f"{model.sdr:.2f} dB"
    description = score if is_scored_as_default(model) else ", ".join(model.sources)
    return KnownModel(name=name, description=description, drum_kit=DRUMS in model.sources)
