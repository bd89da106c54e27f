"""Where stems go: a template for their names, filled in so that every system can hold the result."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from htdemucs_n.errors import UserError, suggestion

DEFAULT_TEMPLATE = "{model}/{track}/{stem}.{ext}"
FIELDS = ("track", "stem", "ext", "model", "trackext")

_ILLEGAL = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_MAX_BYTES = 255
"""Of one name, on common file systems."""


@dataclass(frozen=True)
class Track:
    """A song to be separated: the file `path`, and its `name` below the output folder, which may hold folders."""

    path: Path
    name: str

    @property
    def extension(self) -> str:
        """Without the dot."""
        return self.path.suffix.removeprefix(".")


def safe_name(name: str) -> str:
    """A name for one file or folder that Windows, macOS and Linux can hold.

    What Windows forbids becomes `_`; dots and spaces at the end go, and so `..`, which would lead out of the folder.
    """
    name = _ILLEGAL.sub("_", name).rstrip(". ").lstrip(" ") or "_"
    return f"_{name}" if _RESERVED.fullmatch(name) else name


class Namer:
    """Fills in a template of `FIELDS` below the folder `out`.

    Raises:
        UserError: a field that is not known, or stems that would all have one name.
    """

    def __init__(self, template: str, out: Path, model: str, extension: str, stems: Sequence[str]) -> None:
        self._template, self._out, self._model = template, out, safe_name(model)
        self._extension, self._stems = extension, stems
        fields = _fields(template)
        if len(stems) > 1 and "stem" not in fields:
            raise UserError(f"--filename {template}: it needs {{stem}}, or all stems have one name")
        self._tells_tracks_apart = "track" in fields
        self._taken: set[str] = set()

    def name(self, track: Track) -> tuple[dict[str, Path], str]:
        """The files of a song's stems, by stem, and its name in them.

        A song whose files would be those of a song before it gets `-2`, `-3`, ... behind its name. The case of
        letters and the way accents are coded do not tell names apart: many file systems do not.

        Raises:
            UserError: a second song where the template has no {track}.
        """
        name, number = track.name, 1
        while True:
            files = {stem: self._fill(track, name, stem) for stem in self._stems}
            keys = {unicodedata.normalize("NFC", str(file)).casefold() for file in files.values()}
            if not keys & self._taken:
                self._taken |= keys
                return files, name
            if not self._tells_tracks_apart:
                raise UserError(f"--filename {self._template}: it needs {{track}}, or '{track.path}' would overwrite")
            number += 1
            name = f"{track.name}-{number}"

    def _fill(self, track: Track, name: str, stem: str) -> Path:
        values = {"track": name, "stem": stem, "ext": self._extension, "model": self._model}
        filled = self._template.format(**values, trackext=track.extension)
        parts = [safe_name(part) for part in re.split(r"[/\\]", filled) if part.strip(" ") not in ("", ".")]
        return self._out.joinpath(*map(_short, parts))


def track_name(path: PurePath) -> str:
    """A song's name: its file's, without the extension."""
    return safe_name(path.stem)


def _fields(template: str) -> set[str]:
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UserError(f"--filename {template}: {error}; fields are {{track}}, {{stem}}, {{ext}}") from None
    fields = set()
    for _, field, form, conversion in parsed:
        if field is None:
            continue
        if field not in FIELDS or form or conversion:
            raise UserError(f"--filename {template}: unknown field '{{{field}}}', {suggestion(field, FIELDS)}")
        fields.add(field)
    return fields


def _short(part: str) -> str:
    """A name that is not too long: the middle goes, its extension stays."""
    if len(part.encode()) <= _MAX_BYTES:
        return part
    stem, dot, extension = part.rpartition(".")
    tail = f"{dot}{extension}" if stem and len(extension) < 10 else ""
    room = _MAX_BYTES - len(tail.encode())
    return part.encode()[:room].decode("utf-8", "ignore").rstrip(". ") + tail
