"""What the instruments of Hydrogen's kits are, by their names: which of them plays each General MIDI number."""

from __future__ import annotations

import re
from collections.abc import Mapping

_HAT = r"(?:hat|hh|hihat)(?: \d+)?"

_PIECES = {
    "kick": r"kick|bd|bass drum",
    "stick": r"stick|rim",
    "clap": r"claps?",
    "snare": r"snare|sd",
    "pedal hat": rf"{_HAT} (?:pedal|pd|foot)|(?:pedal|foot) {_HAT}",
    "closed hat": rf"{_HAT} (?:closed|cl)|closed {_HAT}|chh",
    "open hat": rf"{_HAT} (?:opened|open|op)|open {_HAT}|ohh",
    "hat": _HAT,
    "low tom": r"tom (?:floor|low|lo|3)|(?:floor|low) tom",
    "middle tom": r"tom (?:middle|mid|2)|(?:middle|mid) tom",
    "high tom": r"tom (?:high|hi|1)|(?:high|hi) tom",
    "tom": r"tom",
    "bell": r"ride (?:bell|cup)|bell",
    "china": r"china",
    "splash": r"splash",
    "crash": r"crash",
    "ride": r"ride(?: bow)?",
    "cymbal": r"cymbal",
}
"""The words for each piece. The first in a name counts; of several that begin there, the first in this list."""

_SPECIAL = frozenset(["rimshot", "semi", "semiopen", "free", "bell", "bow", "ride", "crash"])
"""Words beside that of the piece: such an instrument plays only if the piece has no ordinary one."""

_UNFIT = frozenset(["roll", "flink", "swish", "choke", "mute", "cow"])
"""Words in the names of what is no stroke of a piece."""

_CYMBALS = ("crash", "cymbal", "ride", "splash", "china", "bell")
_LOW_TOMS = ("low tom", "tom", "middle tom", "high tom")
_MIDDLE_TOMS = ("middle tom", "tom", "high tom", "low tom")
_HIGH_TOMS = ("high tom", "tom", "middle tom", "low tom")

_PLAYERS = {
    36: ("kick",),
    35: ("kick",),
    38: ("snare",),
    40: ("snare",),
    37: ("stick", "snare"),
    39: ("clap", "snare"),
    42: ("closed hat", "hat", "pedal hat", "open hat"),
    44: ("pedal hat", "closed hat", "hat", "open hat"),
    46: ("open hat", "hat", "closed hat", "pedal hat"),
    41: _LOW_TOMS,
    43: _LOW_TOMS,
    45: _MIDDLE_TOMS,
    47: _MIDDLE_TOMS,
    48: _HIGH_TOMS,
    50: _HIGH_TOMS,
    49: _CYMBALS,
    57: _CYMBALS,
    51: ("ride", "cymbal", *_CYMBALS),
    59: ("ride", "cymbal", *_CYMBALS),
    53: ("bell", "ride", "cymbal", *_CYMBALS),
    55: ("splash", *_CYMBALS),
    52: ("china", "cymbal", *_CYMBALS),
}
"""The pieces that play each General MIDI number, best first: of one group, so that a kit without it is silent there."""

_SECOND = frozenset({35, 40, 57, 59, 52})
"""Numbers that the second instrument of a piece plays, if there are two."""


def players(layers: Mapping[str, int]) -> dict[int, str]:
    """The name of the instrument that plays each General MIDI number, from the numbers of layers by name.

    Ordinary instruments of a piece come before special ones, then those with more layers, then the first in the kit.
    Numbers that the kit has no piece for are left out.
    """
    instruments: dict[str, list[tuple[int, int, str]]] = {}
    for name, count in layers.items():
        words = _words(name)
        matches = [(match.start(), place) for place, match in enumerate(_matches(words)) if match]
        if matches and not _UNFIT & set(words.split()):
            piece = list(_PIECES)[min(matches)[1]]
            rest = re.sub(rf"\b(?:{_PIECES[piece]})\b", "", words, count=1)
            instruments.setdefault(piece, []).append((len(_SPECIAL & set(rest.split())), -count, name))
    chosen = {}
    for pitch, pieces in _PLAYERS.items():
        found = next((instruments[piece] for piece in pieces if piece in instruments), [])
        best = sorted((entry for entry in found if entry[0] == min(found)[0]), key=lambda entry: entry[1])
        if best:
            chosen[pitch] = best[min(len(best) - 1, int(pitch in _SECOND))][2]
    return chosen


def _words(name: str) -> str:
    """A name in lower case as words with single spaces, without what it has in brackets: `HiHat1 (old)`, `hi hat 1`."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", re.sub(r"\(.*?\)", "", name))
    return " ".join(words).lower()


def _matches(words: str) -> list[re.Match[str] | None]:
    """Where the words of each piece first stand."""
    return [re.search(rf"\b(?:{pattern})\b", words) for pattern in _PIECES.values()]
