"""The songs of a catalogue: those of a folder, of a glob, or of a manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

from htdemucs_n.audio.suffixes import SUFFIXES
from htdemucs_n.catalogue.filesystem import open_filesystem
from htdemucs_n.catalogue.retry import first_line, is_of_storage, retried
from htdemucs_n.errors import AudioError, OptionError, UserError, require_packages

COLUMNS = ("url", "path")
"""Of a manifest: the place of a song, a URL or a path relative to the manifest."""

_GLOB = re.compile(r"[*?\[]")

_WEB = ("http://", "https://")


@dataclass(frozen=True)
class Song:
    """A song of a catalogue.

    `key` is its path in the catalogue, with `/`; its stems are written below it. `fingerprint` changes when its file
    changes: the tag of an object store, or the size and the time of the last change. It is empty for a song of a
    manifest, whose worker asks for it (`with_fingerprint`).
    """

    key: str
    url: str
    fingerprint: str

    @property
    def digest(self) -> str:
        """A hash of the key, for names of files."""
        return digest_of(self.key)

    def with_fingerprint(self) -> Song:
        """The song with its fingerprint. Raises what the file system raises where the song is not there."""
        if self.fingerprint:
            return self
        filesystem, path = open_filesystem(self.url)
        return replace(self, fingerprint=_fingerprint(filesystem.info(path)))


def digest_of(key: str) -> str:
    """A hash of the key of a song."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:32]


def find_songs(source: str, dest: str) -> Iterator[Song]:
    """The songs of `source`: a folder or glob on any fsspec URL, or a manifest (csv, jsonl, parquet), in its order.

    Raises:
        UserError: there is nothing, a manifest lacks its column, a package is missing, or `dest` is inside `source`.
    """
    if _suffix(source) in _MANIFESTS:
        return _of_manifest(source)
    if source.startswith(_WEB):
        raise OptionError(f"'{source}': a web server has no folders: give a manifest of URLs (.csv, .jsonl, .parquet)")
    return _of_folder(source, dest)


def _of_folder(source: str, dest: str) -> Iterator[Song]:
    filesystem, path = open_filesystem(source)
    pattern = _GLOB.search(path)
    if pattern and _is_folder(filesystem, path, source):  # whose name has the signs of a glob
        pattern = None
    root = posixpath.dirname(path[: pattern.start()]) if pattern else path
    other, target = open_filesystem(dest)
    if type(other) is type(filesystem) and f"{target}/".startswith(f"{root}/"):
        raise OptionError(f"'{dest}' is inside of '{source}', whose songs would be its stems too: choose another DEST")
    found = False
    for file, details in _files(filesystem, path, bool(pattern), source):
        if posixpath.splitext(file)[1].lower() in SUFFIXES and not posixpath.basename(file).startswith("."):
            found = True
            key = posixpath.relpath(file, root)
            yield Song(key, filesystem.unstrip_protocol(file), _fingerprint(details))
    if not found and not pattern and filesystem.isfile(path):
        raise AudioError(f"'{source}' is a file: give its folder, a glob or a manifest (.csv, .jsonl, .parquet)")
    if not found:
        raise AudioError(f"'{source}' contains no audio or video file: check it")


def _is_folder(filesystem: Any, path: str, source: str) -> bool:
    try:
        return bool(retried(lambda: filesystem.isdir(path)))
    except Exception as error:
        raise _unreadable(source, error) from None


def _files(filesystem: Any, path: str, is_pattern: bool, source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files of a folder, one folder after the other, or those of a glob, sorted, with what is known of them."""
    try:
        if is_pattern:
            yield from sorted(filesystem.glob(path, detail=True).items())
            return
        for folder, subfolders, files in filesystem.walk(path, detail=True, on_error="raise"):
            for name in sorted(files):
                yield posixpath.join(folder, name), files[name]
            for name in sorted(subfolders):  # the order of a dictionary is the order of the walk
                subfolders[name] = subfolders.pop(name)
    except FileNotFoundError:
        raise AudioError(f"'{source}' does not exist: check the name") from None
    except Exception as error:
        raise _unreadable(source, error) from None


def _unreadable(source: str, error: Exception) -> Exception:
    """The error for people where a disk, a server or its credentials refuse a source; otherwise the error itself."""
    if not is_of_storage(error):
        return error
    return UserError(f"'{source}' cannot be read ({first_line(error)}): check the credentials and permissions")


def _fingerprint(details: dict[str, Any]) -> str:
    """What tells one version of a file from another without reading it."""
    for key in ("ETag", "etag", "md5Hash"):
        if details.get(key):
            return str(details[key]).strip('"')
    changed = details.get("mtime") or details.get("LastModified") or details.get("updated") or ""
    return f"{details.get('size')}-{changed}"


def _of_manifest(source: str) -> Iterator[Song]:
    """All rows are checked before the first song goes to a worker."""
    filesystem, path = open_filesystem(source)
    read = _MANIFESTS[_suffix(source)]
    songs: dict[str, Song] = {}
    try:
        content = retried(lambda: filesystem.cat_file(path))
    except FileNotFoundError:
        raise AudioError(f"'{source}' does not exist: check the name") from None
    except Exception as error:
        raise _unreadable(source, error) from None
    for number, row in enumerate(read(content, source), 1):
        place = next((row[column] for column in COLUMNS if row.get(column)), None)
        if place is None:
            raise AudioError(f"'{source}', row {number}: the column '{' or '.join(COLUMNS)}' is missing or empty")
        if not isinstance(place, str):
            raise AudioError(f"'{source}', row {number}: {place!r} is no URL or path: give text")
        key = _key(place)
        if key in songs:
            raise AudioError(f"'{source}', row {number}: '{key}' is there twice: name each song once")
        if source.startswith(_WEB):
            place = urljoin(source, place)
        elif "://" not in place:
            place = filesystem.unstrip_protocol(posixpath.join(posixpath.dirname(path), place))
        songs[key] = Song(key, place, "")
    if not songs:
        raise AudioError(f"'{source}' names no song")
    return iter(songs.values())


def _key(place: str) -> str:
    """The place of a song in the catalogue: a URL without its scheme, without steps that lead out of a folder."""
    path = _without_query(place)
    parts = [part for part in re.split(r"[/\\]", path.partition("://")[2] or path) if part not in ("", ".", "..")]
    if not parts:
        raise AudioError(f"'{place}' names no file")
    return "/".join(part.replace(":", "_") for part in parts)


def _without_query(place: str) -> str:
    """A URL of a web server as far as the path goes; other places as they are, since a file's name may have a `?`."""
    return re.split("[?#]", place)[0] if place.startswith(_WEB) else place


def _suffix(source: str) -> str:
    return posixpath.splitext(_without_query(source))[1].lower()


def _text(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise AudioError(f"'{source}', line {line} is no text in UTF-8: save it as UTF-8") from None


def _rows_of_csv(content: bytes, source: str) -> Iterable[dict[str, Any]]:
    try:
        yield from csv.DictReader(io.StringIO(_text(content, source), newline=""))
    except csv.Error as error:
        raise AudioError(f"'{source}' is no CSV file ({error})") from None


def _rows_of_jsonl(content: bytes, source: str) -> Iterable[dict[str, Any]]:
    for number, line in enumerate(_text(content, source).splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise AudioError(f"'{source}', line {number} is no JSON object")
            yield row


def _rows_of_parquet(content: bytes, source: str) -> Iterable[dict[str, Any]]:
    require_packages("a manifest in Parquet", "cluster", "pyarrow")
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(io.BytesIO(content))
    except pyarrow.ArrowInvalid:
        raise AudioError(f"'{source}' is no Parquet file") from None
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


_MANIFESTS = {".csv": _rows_of_csv, ".jsonl": _rows_of_jsonl, ".parquet": _rows_of_parquet}
