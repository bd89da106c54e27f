"""The parts of the drums: a second separator takes the stem `drums` apart while the first one separates the song.

blocks of stems --+--> wait -----------------------------------------+--> drums, bass, other, vocals, drums/kick, ...
                  +--> drums --> separator of the drum kit --> parts --+
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from htdemucs_n.errors import OptionError

DRUMS = "drums"
"""The stem that has parts."""

DRUM_KIT = "drumkit"
"""The shipped model that takes it apart."""


def part_names(sources: Iterable[str]) -> tuple[str, ...]:
    """The names of the parts among stems: `drums/kick` for `kick`."""
    return tuple(f"{DRUMS}/{source}" for source in sources)


def plain_name(stem: str) -> str:
    """`kick` for the part `drums/kick`; other stems keep their names."""
    return stem.removeprefix(f"{DRUMS}/")


def is_part(stem: str) -> bool:
    """Whether a stem is a part of another, and so no part of the sum of all stems."""
    return stem.startswith(f"{DRUMS}/")


def check_has_drums(sources: Iterable[str]) -> None:
    """Raise `OptionError` for a model whose stems have no drums in them."""
    if DRUMS not in sources:
        raise OptionError(
            f"the drum kit is the parts of the stem {DRUMS}, but the model separates {', '.join(sources)}: "
            "leave --drum-kit (drum_kit=True) out, or choose another model"
        )


def with_parts(stems: Iterator[Any], take_apart: Callable[[Iterator[Any]], Iterator[Any]]) -> Iterator[Any]:
    """Blocks of stems, `(C, n)` by name, with the parts of their drums added; the blocks come out cut differently.

    `take_apart` gives blocks of the parts for blocks of the drums, as `Separator.stream` does.
    """
    waiting: deque[dict[str, Any]] = deque()

    def drums() -> Iterator[Any]:
        for block in stems:
            waiting.append(block)
            yield block[DRUMS]

    for parts in take_apart(drums()):
        named: dict[str, Any] = dict(zip(part_names(parts), parts.values(), strict=True))
        while length := next(iter(named.values())).shape[1]:
            block = waiting.popleft()
            ready = min(length, block[DRUMS].shape[1])
            if ready < block[DRUMS].shape[1]:
                waiting.appendleft(_cut(block, ready, None))
            yield _cut(block, 0, ready) | _cut(named, 0, ready)
            named = _cut(named, ready, None)


def _cut(block: dict[str, Any], start: int, end: int | None) -> dict[str, Any]:
    return {name: samples[:, start:end] for name, samples in block.items()}
