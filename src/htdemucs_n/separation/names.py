"""Where stems go: a template for their names, filled in so that every system can hold the result."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from htdemucs_n.errors import OptionError, suggestion

FIELDS = ("track", "stem", "ext", "model", "trackext")

_ILLEGAL = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_MAX_BYTES = 255
"""Of one name, on common file systems."""

_GOES_ON = frozenset(map(chr, [*range(0x1160, 0x1200), *range(0x1F3FB, 0x1F400), *range(0xE0020, 0xE0080)]))
"""Parts of a Hangul syllable after its first (as macOS writes them), skin tones, and the letters of a region's flag."""

_FLAG_LETTERS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
"""Two of them are the flag of a country."""


@dataclass(frozen=True)
class Track:
    """A song to be separated: the file `path`, and its `name` below the output folder, which may hold folders."""

    path: Path
    name: str

    @property
    def extension(self) -> str:
        """Without the dot."""
        return self.path.suffix.removeprefix(".")


@dataclass(frozen=True)
class NamedStems:
    """Where the stems of a song go, by stem; `numbered`: a number was added because another song has its name."""

    files: dict[str, Path]
    numbered: bool


def readable(name: str) -> str:
    """The name of a file as text: bytes that are not UTF-8 become the replacement character."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def safe_name(name: str) -> str:
    """A name for one file or folder that Windows, macOS and Linux can hold.

    What Windows forbids becomes `_`; dots and spaces at the end go, and so `..`, which would lead out of the folder.
    """
    name = readable(name)
    name = _ILLEGAL.sub("_", name).rstrip(". ").lstrip(" ") or "_"
    return f"_{name}" if _RESERVED.fullmatch(name) else name


class Namer:
    """Fills in a template of `FIELDS` below the folder `out`.

    Raises:
        OptionError: a field that is not known, or stems that would all have one name.
    """

    def __init__(self, template: str, out: Path, model: str, extension: str, stems: Sequence[str]) -> None:
        self._template, self._out, self._model = template, out, safe_name(model)
        self._extension, self._stems = extension, stems
        fields = _fields(template)
        if len(stems) > 1 and "stem" not in fields:
            raise OptionError(f"--filename {template}: it needs {{stem}}, or all stems have one name")
        self._tells_tracks_apart = "track" in fields
        self._taken: set[str] = set()

    def name(self, track: Track) -> NamedStems:
        """The files of a song's stems.

        A song whose files would be those of a song before it gets `-2`, `-3`, ... behind its name. The case of
        letters and the Unicode form of accents do not distinguish names, as on many file systems. A name that is too
        long for a file system is cut in {track}, never inside a character.

        Raises:
            OptionError: a second song where the template has no {track}, or a name that is too long without {track}.
        """
        number = 1
        while True:
            files = self._fitting(track, "" if number == 1 else f"-{number}")
            keys = {unicodedata.normalize("NFC", str(file)).casefold() for file in files.values()}
            if not keys & self._taken:
                self._taken |= keys
                return NamedStems(files, number > 1)
            if not self._tells_tracks_apart:
                raise OptionError(f"--filename {self._template}: it needs {{track}}, or '{track.path}' would overwrite")
            number += 1

    def _fitting(self, track: Track, number: str) -> dict[str, Path]:
        """The files of a song with a number behind its name, which is cut until every part of a path fits."""
        name = track.name
        while True:
            files = {stem: self._fill(track, name + number, stem) for stem in self._stems}
            parts = [part for file in files.values() for part in file.relative_to(self._out).parts]
            excess = max(len(part.encode()) for part in parts) - _MAX_BYTES
            if excess <= 0:
                return files
            shorter = _cut(name, excess)
            if not self._tells_tracks_apart or not shorter:
                raise OptionError(f"--filename {self._template}: its name for '{track.path}' is too long: shorten it")
            name = shorter

    def _fill(self, track: Track, name: str, stem: str) -> Path:
        values = {"track": name, "stem": stem, "ext": self._extension, "model": self._model}
        filled = self._template.format(**values, trackext=readable(track.extension))
        parts = [safe_name(part) for part in re.split(r"[/\\]", filled) if part.strip(" ") not in ("", ".")]
        return self._out.joinpath(*parts)


def track_name(path: PurePath) -> str:
    """A song's name: its file's, without the extension."""
    return safe_name(path.stem)


def _fields(template: str) -> set[str]:
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise OptionError(f"--filename {template}: {error}; fields are {{track}}, {{stem}}, {{ext}}") from None
    fields = set()
    for _, field, form, conversion in parsed:
        if field is None:
            continue
        if field in FIELDS and (form or conversion):
            raise OptionError(f"--filename {template}: a field takes nothing behind its name: write {{{field}}}")
        if field not in FIELDS:
            raise OptionError(f"--filename {template}: unknown field '{{{field}}}', {suggestion(field, FIELDS)}")
        fields.add(field)
    return fields


def _cut(name: str, excess: int) -> str:
    """`name` with its longest part at least `excess` bytes shorter, or as short as it can be; empty if it is that.

    A letter keeps the accents that are coded behind it, a Hangul syllable and an emoji the parts that they consist of.
    """
    parts = name.split("/")
    longest = max(range(len(parts)), key=lambda n: len(parts[n].encode()))
    part = parts[longest]
    end = len(part)
    while end > 1 and (len(part[:end].encode()) > len(part.encode()) - excess or _goes_on(part, end)):
        end -= 1
    parts[longest] = part[:end]
    return "" if end == len(part) else "/".join(parts)


def _goes_on(text: str, place: int) -> bool:
    """Whether the character at a place belongs to the one before it."""
    here, before = text[place], text[:place]
    if here in _FLAG_LETTERS:
        return (len(before) - len(before.rstrip("".join(_FLAG_LETTERS)))) % 2 == 1
    return "\u200d" in (here, before[-1]) or unicodedata.category(here).startswith("M") or here in _GOES_ON
