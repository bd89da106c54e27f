"""Songs to transcribe: files, which are separated first, and folders that hold the stems of a song."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from htdemucs_n.audio.suffixes import SUFFIXES
from htdemucs_n.errors import UserError
from htdemucs_n.files import folder_entries
from htdemucs_n.separation.drum_kit import DRUMS
from htdemucs_n.separation.inputs import find_tracks
from htdemucs_n.separation.names import Track, safe_name
from htdemucs_n.separation.separator import Progress, Separator
from htdemucs_n.separation.stems import StemChoice
from htdemucs_n.separation.track import Output, separate_track
from htdemucs_n.transcription.drum_hits import PIECES

STEMS = ("drums", "bass", "other", "vocals")

PARTS = tuple(PIECES)
"""Of the drums."""


def find_songs(paths: Iterable[Path], out: Path) -> Iterator[Track | UserError]:
    """Songs in the order of `paths`. A folder that holds stems is one song, whose `Track` has the path of the folder.

    Other folders are searched with all below them, as `htdemucs_n.separation.inputs.find_tracks` does.
    """
    for path in paths:
        if not path.is_dir():
            yield from find_tracks([path], out)
            continue
        folders: set[Path] = set()
        for entry in find_tracks([path], out):
            folder = entry.path.parent if isinstance(entry, Track) else path
            if folder.name == DRUMS and DRUMS in stem_files(folder.parent):
                continue  # its parts belong to that song
            if isinstance(entry, UserError) or not stem_files(folder):
                yield entry
            elif folder not in folders:
                folders.add(folder)
                below = entry.name.rpartition("/")[0]
                yield Track(folder, below or safe_name(folder.resolve().name))


def stem_files(folder: Path) -> dict[str, Path]:
    """The files of a folder that are named as stems, `bass.wav` or `Vocals.flac`, by stem; of several the first.

    Those of the parts of the drums are in the folder or in its folder `drums`.

    Raises:
        UserError: a folder cannot be read.
    """
    files: dict[str, Path] = {}
    parts = folder / DRUMS
    for entry in [*folder_entries(folder), *(folder_entries(parts) if parts.is_dir() else ())]:
        stem = entry.stem.lower()
        if stem in (PARTS if entry.parent == parts else STEMS + PARTS) and entry.suffix.lower() in SUFFIXES:
            files.setdefault(stem, entry)
    return files


@contextmanager
def with_drum_parts(stems: dict[str, Path], drum_kit: Callable[[], Separator]) -> Iterator[dict[str, Path]]:
    """The files of stems, and those of the parts of their drums, which `drum_kit()` separates where there are none.

    Raises:
        UserError: the drums cannot be separated.
    """
    if DRUMS not in stems or any(part in stems for part in PARTS):
        yield stems
        return
    with separated(stems[DRUMS], drum_kit()) as parts:
        yield stems | parts


@contextmanager
def separated(song: Path, separator: Separator, progress: Progress | None = None) -> Iterator[dict[str, Path]]:
    """The files of the stems of a song, by stem, in a temporary folder that goes when the block ends.

    Raises:
        UserError: the song cannot be separated.
    """
    with TemporaryDirectory(prefix="htdemucs-n-") as folder:
        files = {name: Path(folder) / f"{name}.flac" for name in separator.sources}
        output = Output("flac", depth="int16", clip_mode="clamp", tags=False)  # as exact as pitch and onsets need
        separate_track(song, files, separator, StemChoice(separator.sources), output, progress)
        yield files
