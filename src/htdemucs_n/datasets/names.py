"""Which stem a file belongs to, by its name.

    vocals.wav   Vocals-1.flac   lead vocals (2).mp3   03_snare top.wav   bass guitar.ogg
    vocals       vocals          vocals                drums              bass

A name that is a source as it stands is that source. Else upper case, numbers and punctuation do not count, and the
whole name decides, or its last word, or its first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from htdemucs_n.errors import UserError, suggestion

MIXTURE = "mixture"

ALIASES: Mapping[str, str] = {
    name: stem
    for stem, names in {
        "drums": "drum, kick, snare, hat, hihat, hats, tom, toms, cymbal, cymbals, ride, crash, overhead, overheads, "
        "percussion, perc, clap, claps, tambourine, shaker, bongo, bongos, conga, congas, drumkit",
        "bass": "bass guitar, bass synth, bass di, contrabass, sub",
        "other": "guitar, guitars, piano, pianos, key, keys, keyboard, keyboards, organ, rhodes, synth, synths, pad, "
        "pads, string, strings, violin, viola, cello, brass, horn, horns, trumpet, trombone, sax, saxophone, flute, "
        "harp, accordion, banjo, mandolin, ukulele, harmonica, arp, fx, pluck, plucks, bell, bells, others",
        "vocals": "vocal, voice, voices, vox, lead, backing, singer, singing, choir, chorus, rap, acapella",
        MIXTURE: "mix, master, full mix",
    }.items()
    for name in names.split(", ")
}
"""Names of recordings that are no stem by themselves, and the stem that they are part of."""

_NOT_A_STEM = {"no", "non", "minus", "without", "instrumental", "accompaniment", "karaoke"}
"""A name with one of these words says what is left after a stem is taken out."""


def alias_table(sources: Collection[str], more: Mapping[str, str | None] | None = None) -> dict[str, str | None]:
    """Every known name and its stem of `sources`: the sources, "mixture", `ALIASES`, and over these those of `more`.

    A name that `more` maps to None is of no stem. Raises `UserError` where `more` names another stem.
    """
    table: dict[str, str | None] = {name: stem for name, stem in ALIASES.items() if stem in {*sources, MIXTURE}}
    for name, stem in (more or {}).items():
        if stem is not None and stem not in sources:
            raise UserError(f"config key 'dset.aliases.{name}' is '{stem}': {suggestion(stem, sources)}")
        table[" ".join(_words(name))] = stem
    own: dict[str, str | None] = {name: s for s in sources for name in (" ".join(_words(s)), s.casefold())}
    return table | own | {MIXTURE: MIXTURE}


def stem_of(name: str, table: Mapping[str, str | None]) -> str | None:
    """The stem of a file `name` (without its suffix), "mixture", or None where the table of `alias_table` has none."""
    if name.casefold() in table:
        return table[name.casefold()]
    words = _words(name)
    if not words or _NOT_A_STEM & {*words}:
        return None
    for candidate in (" ".join(words), words[-1], words[0]):
        if candidate in table:
            return table[candidate]
    return None


def _words(name: str) -> list[str]:
    """The words of a name in lower case; digits and punctuation end a word and are left out."""
    return re.findall(r"[^\W\d_]+", name.casefold())
