"""Which stems are wanted: all, some, or one and the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.errors import OptionError, suggestion
from htdemucs_n.separation.drum_kit import is_part, plain_name

OTHER_METHODS = ("add", "minus", "none")

VOCALS, INSTRUMENTAL = "vocals", "instrumental"
"""A stem, and a name for the rest of the song."""


@dataclass(frozen=True)
class StemChoice:
    """The stems to write, of a model's `sources`.

    `stems` are some of the sources, by default all. `two_stems` is one of them, written beside what remains as
    `no_<stem>`: by `other_method` `add`, the sum of the others; `minus`, the mixture less the stem; or `none`, not
    written. `two_stems` may also be `instrumental`, what remains without `vocals`, which are then written beside it.

    Raises:
        OptionError: no such stem or method, or both ways of choosing at once.
    """

    sources: Sequence[str]
    stems: Sequence[str] | None = None
    two_stems: str | None = None
    other_method: str = "add"

    def __post_init__(self) -> None:
        if self.stems is not None and self.two_stems is not None:
            raise OptionError("--stems and --two-stems exclude each other: use one of them")
        for stem in [*(self.stems or ()), *([self._separated] if self._separated is not None else [])]:
            if is_part(stem) and not any(map(is_part, self.sources)):
                raise OptionError(f"'{stem}' is a part of the drums: add --drum-kit (drum_kit=True)")
            if stem not in self.sources:
                part = next((source for source in self.sources if plain_name(source) == stem), None)
                hint = f"did you mean '{part}'?" if part else suggestion(stem, self.sources)
                raise OptionError(f"the model has no stem '{stem}': {hint}")
        if self.other_method not in OTHER_METHODS:
            raise OptionError(f"unknown method '{self.other_method}': choose one of {', '.join(OTHER_METHODS)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what is written, in order."""
        if self.two_stems is None:
            return tuple(dict.fromkeys(self.stems or self.sources))
        rest = f"no_{plain_name(self.two_stems)}" if self._separated == self.two_stems else VOCALS
        return (self.two_stems,) if self.other_method == "none" else (self.two_stems, rest)

    def pick(self, stems: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """All stems `(C, n)` of a block to those of `names`."""
        if self._separated is None:
            return [stems[name] for name in self.names]
        chosen = stems[self._separated]
        others = [samples for name, samples in stems.items() if name != self._separated and not is_part(name)]
        if is_part(self._separated):  # the drums among the others hold it
            rest = sum(others[1:], start=others[0]) - chosen
        elif self.other_method == "minus":
            rest = sum(others, start=chosen) - chosen
        else:
            rest = sum(others[1:], start=others[0])
        pair = [chosen, rest] if self._separated == self.two_stems else [rest, chosen]
        return pair[: len(self.names)]

    @property
    def _separated(self) -> str | None:
        """The stem of the model that `two_stems` sets apart from the others."""
        return VOCALS if self.two_stems == INSTRUMENTAL and INSTRUMENTAL not in self.sources else self.two_stems
