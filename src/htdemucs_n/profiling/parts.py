"""The parts of a model, and a meter of the time or FLOPs of each.

A part is a set of modules or methods, named by their paths. Work is counted for the innermost part that runs, and for
`REST` where none does, so the parts add up to the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from typing import Any

from torch import nn

from htdemucs_n.models.ensemble import Ensemble
from htdemucs_n.models.official import OfficialModel

REST = "the rest"
"""What runs between the parts: scaling, padding, adding up."""

_OURS = {
    "STFTs and inverse STFT": ("multi_stft", "stft", "stft.inverse"),
    "multi-resolution encoder": ("multi_stft_encoder",),
    "band split": ("complex_encoder",),
    "ResUNet++": ("freq_encoder", "freq_decoder"),
    "time encoder": ("time_encoder",),
    "transformer": ("transformer", "lstm"),
    "fusion": ("fusion",),
    "spectral head": ("spectral_head", "spectral_head.waveforms"),
    "time decoder": ("time_decoder",),
}
_OFFICIAL = {
    "STFT and inverse STFT": ("_spec", "_ispec"),
    "frequency encoder": ("encoder", "freq_emb"),
    "time encoder": ("tencoder",),
    "transformer": (
        "channel_upsampler",
        "channel_upsampler_t",
        "crosstransformer",
        "channel_downsampler",
        "channel_downsampler_t",
    ),
    "frequency decoder": ("decoder",),
    "time decoder": ("tdecoder",),
}
_TABLES: dict[str, Mapping[str, Sequence[str]]] = {"HTDemucs_n": _OURS, "HTDemucs": _OFFICIAL}
"""Parts by the name of the model's class."""

Owned = tuple[nn.Module, str]
"""A module and the name of its method that is the part's work: `forward`, or another."""


def parts_of(model: nn.Module) -> dict[str, list[Owned]]:
    """The parts of a model: those that are known by name, and every other child by itself."""
    if isinstance(model, OfficialModel):
        return parts_of(model.member)
    if isinstance(model, Ensemble):  # a part is the same in all of them
        merged: dict[str, list[Owned]] = {}
        for member in model.members:
            for part, owned in parts_of(member).items():
                merged.setdefault(part, []).extend(owned)
        return merged
    table = _TABLES.get(type(model).__name__, {})
    parts = {part: [owned for path in paths for owned in _resolve(model, path)] for part, paths in table.items()}
    known = {path.partition(".")[0] for paths in table.values() for path in paths}
    parts |= {name: _resolve(model, name) for name, _ in model.named_children() if name not in known}
    return {part: owned for part, owned in parts.items() if owned}


def parameters_by_part(model: nn.Module) -> dict[str, int]:
    """The number of parameters of every part; what no part holds is the `REST`'s."""
    counts = {}
    counted: set[int] = set()
    for part, owned in parts_of(model).items():
        modules = [module for module, method in owned if method == "forward"]
        counts[part] = _count(modules, counted)
    return counts | {REST: _count([model], counted)}


class Meter:
    """Splits what a reading grows by, seconds or FLOPs, between the parts of a model."""

    def __init__(self, model: nn.Module, reading: Callable[[], float]) -> None:
        self._parts = parts_of(model)
        self._reading = reading
        self._running = [REST]
        self._last = 0.0
        self.totals: dict[str, float] = {}

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Count while this lasts, from zero."""
        self.totals = dict.fromkeys([*self._parts, REST], 0.0)
        with ExitStack() as stack:
            for part, several in self._parts.items():
                for module, method in several:
                    stack.enter_context(self._wrapped(part, module, method))
            self._last = self._reading()
            yield
            self._settle()

    @contextmanager
    def _wrapped(self, part: str, module: nn.Module, method: str) -> Iterator[None]:
        """Replace a method of this object by a function that calls it and counts."""
        own = module.__dict__.get(method)
        original = getattr(module, method)

        def counted(*args: Any, **keys: Any) -> Any:
            self._settle()
            self._running.append(part)
            try:
                return original(*args, **keys)
            finally:
                self._settle()
                self._running.pop()

        module.__dict__[method] = counted
        try:
            yield
        finally:
            del module.__dict__[method]
            if own is not None:
                module.__dict__[method] = own

    def _settle(self) -> None:
        now = self._reading()
        self.totals[self._running[-1]] += now - self._last
        self._last = now


def _resolve(model: nn.Module, path: str) -> list[Owned]:
    """What a path names: a module's `forward`, that of every child of a list, or a method; nothing where it is None."""
    try:
        found = attrgetter(path)(model)
    except AttributeError:  # of an optional part that is not there
        return []
    if isinstance(found, nn.ModuleList):
        return [(child, "forward") for child in found]
    if isinstance(found, nn.Module):
        return [(found, "forward")]
    owner, _, method = path.rpartition(".")
    return [(model.get_submodule(owner), method)] if callable(found) else []


def _count(modules: Sequence[nn.Module], counted: set[int]) -> int:
    """Parameters of `modules` that were not counted before."""
    fresh = {id(p): p.numel() for module in modules for p in module.parameters() if id(p) not in counted}
    counted.update(fresh)
    return sum(fresh.values())
