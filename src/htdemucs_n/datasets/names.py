"""Which stem a file belongs to, by its name.

    vocals.wav   Vocals-1.flac   Lead Gtr (2).mp3   03_snare top.wav   Bass Drum.ogg   Drum & Bass.wav   off vocal.wav
    vocals       vocals          other              drums              drums           unknown           unknown

A name that is a source as it stands is that source. Otherwise upper case, numbers, punctuation and plurals do not
count, and the instruments in the name decide: the longest names of instruments are found first, so a bass drum is no
bass. What an instrument plays (lead, backing, pad) matters only where no instrument is named. A name is unknown when it
names instruments of two stems, no instrument, or what was taken out of a mixture.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from htdemucs_n.errors import ConfigError, suggestion

MIXTURE = "mixture"

_INSTRUMENTS: Mapping[str, str] = {
    "drums": "drum, kick, kik, snare, hat, hihat, tom, cymbal, ride, crash, splash, overhead, kit, drumkit, "
    "drumset, kickdrum, snaredrum, rimshot, hh, oh, ohl, ohr, sn, snr, bd, percussion, perc, clap, snap, tambourine, "
    "tamb, shaker, maraca, cowbell, woodblock, bongo, conga, djembe, cajon, tabla, timbale, bass drum, kick drum, "
    "bassdrum, drum synth, synth drum, drum beat, drum machine, schlagzeug, batterie, bateria, batería, batteria",
    "bass": "bass guitar, guitar bass, bass gtr, bass gt, bass guit, bass synth, synth bass, bass key, key bass, "
    "bass keyboard, keyboard bass, moog bass, string bass, contrabass, bassline, sub, basse, bajo, contrabajo, basso, "
    "kontrabass",
    "other": "guitar, piano, key, keyboard, kbd, organ, rhodes, wurlitzer, clav, clavinet, harpsichord, synth, "
    "synthesizer, string, violin, viola, cello, fiddle, brass, horn, trumpet, trombone, tuba, sax, "
    "saxophone, clarinet, oboe, bassoon, flute, harp, accordion, banjo, mandolin, ukulele, sitar, "
    "harmonica, arp, pluck, bell, glockenspiel, xylophone, marimba, vibraphone, celesta, orchestra, "
    "woodwind, steel drum, steel pan, steelpan, lap steel, pedal steel, contrabass clarinet, balalaika, flugelhorn, "
    "melodica, cornett, kalimba, ocarina, koto, violoncello, euphonium, wurli, "
    "vox continental, vox organ, choir pad, choir synth, synth choir, pad, fx, sfx, guitarra, gitarre, "
    "guitare, chitarra, violão, violao, klavier, teclado, tastiera",
    "vocals": "vocal, voice, vox, voc, vocalist, singer, singing, choir, rap, bv, bgv, adlib, ad lib, acapella, "
    "acappella, a capella, a cappella, bass vocal, bass voice, bass singer, bass vox, voz, voix, gesang, "
    "ボーカル",
    MIXTURE: "mix, master, mixdown, full mix",
}

_IN_BASS = (
    "accordion balalaika banjo clarinet cornet cornett dulcimer euphonium flugelhorn flute harmonica horn kalimba "
    "kazoo koto mandolin marimba melodica oboe ocarina recorder sax saxophone sitar trombone trumpet tuba ukulele "
    "vibraphone viola violin xylophone"
)
"""Instruments of which a larger one is called a bass clarinet, for example: it is part of other."""

_ABBREVIATIONS = {"gtr": "guitar", "gt": "guitar", "guit": "guitar", "egtr": "guitar", "agtr": "guitar", "pno": "piano"}
"""They mean the source of that name where a model has it."""

ALIASES: Mapping[str, str | None] = (
    {name: stem for stem, names in _INSTRUMENTS.items() for name in names.split(", ")}
    | {f"bass {name}": "other" for name in _IN_BASS.split()}
    | {"voice memo": None}
)
"""Names of recordings that are no stem by themselves, and the stem that they are part of; None is no stem."""

_WEAK = frozenset(
    {"lead", "backing", "chorus", "harmony", "hook", "male", "female", "soprano", "alto", "tenor", "pad", "fx", "sfx"}
    | {"sub", "mix", "master", "mixdown", "full mix", MIXTURE}
)
"""What an instrument plays, an effect or a mixture: each counts only where no other instrument is named."""

_NEGATIONS = (
    "no non not minus without wo off less free but except removed remove remover muted mute deleted excluded excluding "
    "cut killed silenced dropped eliminated stripped suppressed cancelled canceled never ex "
    "sans ohne kein keine sin sem senza zonder utan bez "
    "tv instrumental instru inst accompaniment karaoke playback beat"
)
"""With one of these words, a name describes what is left after a stem is removed."""

_LONGEST = 3
"""Words of the longest name of an instrument."""


def alias_table(sources: Collection[str], more: Mapping[str, str | None] | None = None) -> dict[str, str | None]:
    """Every known name and its stem of `sources`: the sources, "mixture", `ALIASES`, and over these those of `more`.

    A name that `more` maps to None is of no stem. Raises `UserError` where `more` names another stem.
    """
    own: dict[str, str | None] = {name: s for s in sources for name in (_key(s), s.casefold())}
    table = {_key(name): stem for name, stem in ALIASES.items() if stem in {*sources, MIXTURE, None}}
    for name, instrument in _ABBREVIATIONS.items():
        if (stem := own.get(instrument, table.get(instrument))) is not None:
            table[name] = stem
    for name, stem in (more or {}).items():
        if stem is not None and stem not in sources:
            raise ConfigError(f"config key 'dset.aliases.{name}' is '{stem}': {suggestion(stem, sources)}")
        table[_key(name)] = stem
    return table | own | {MIXTURE: MIXTURE}


def stem_of(name: str, table: Mapping[str, str | None]) -> str | None:
    """The stem of a file `name` (without its suffix), "mixture", or None where the table of `alias_table` has none."""
    if name.casefold() in table:
        return table[name.casefold()]
    words, negations = _words(name), _words(_NEGATIONS)
    strong: set[str | None] = set()
    weak: set[str | None] = set()
    while words:
        lengths = (n for n in range(min(_LONGEST, len(words)), 0, -1) if " ".join(words[:n]) in table)
        if length := next(lengths, 0):
            phrase = " ".join(words[:length])
            (weak if phrase in _WEAK else strong).add(table[phrase])
        elif words[0] in negations or words[0].removesuffix("less") in table:
            return None
        words = words[length or 1 :]
    found = (strong or weak) - {None}
    return found.pop() if len(found) == 1 else None


def _key(name: str) -> str:
    return " ".join(_words(name))


def _words(name: str) -> list[str]:
    """The words of a name, in lower case and singular; digits, punctuation and a capital inside of a word divide it.

    What stands between two instruments, as in "bass + drums", is the word "and"; a minus sign before the first word of
    a name or of a parenthesis is the word "minus".
    """
    divided = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold()
    divided = re.sub(r"(^|[(\[])\s*[-\u2212]\s*(?=\w)", " minus ", re.sub(r"\bw[-/_]o(?![a-z])", "wo", divided))
    divided = re.sub(r"[+&,/]", " and ", divided)
    return [re.sub(r"(?<=[^\Wsu])s$", "", word) for word in re.findall(r"[^\W\d_]+", divided)]
