"""Find the songs of a folder and the files of their stems.

    folder/
      A song/                   a folder per song: one or more files per stem, in any format that is read
        drums.wav
        vocals-1.flac  vocals_2.mp3      summed
        guitar.ogg                       by its name a part of other (`datasets.names`)
        mixture.wav                      not needed: the mixture is the sum of the stems
      Another song.stem.mp4     or one file per song, with MUSDB18's five streams

A stem without a file is silence. MUSDB18's own root, with `train` and `test`, is a folder of songs too: `split` says
which part of it is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from htdemucs_n.audio import Audio, read_audio
from htdemucs_n.audio.suffixes import SUFFIXES
from htdemucs_n.datasets import musdb
from htdemucs_n.datasets.names import MIXTURE, stem_of
from htdemucs_n.errors import AudioError, OptionError, suggestion
from htdemucs_n.files import as_url, folder_entries, is_folder

Split = Literal["train", "valid", "test", "all"]
"""Part of a MUSDB18 root: `train` without the official validation songs, these, `test`, or all there is."""

_NO_AUDIO = frozenset(
    {".csv", ".jpeg", ".jpg", ".json", ".lab", ".md", ".mid", ".midi", ".pdf", ".png", ".txt", ".xml", ".yaml", ".yml"}
)
"""Files beside the audio, which are not reported whatever their name."""


@dataclass(frozen=True)
class StemFile:
    """Where the audio of a stem, or of a part of one, is: a file and the audio stream in it."""

    path: Path
    stream: int = 0

    def read(self) -> Audio:
        """Decode it; raises `UserError` as `htdemucs_n.audio.read_audio`."""
        return read_audio(self.path, self.stream)


@dataclass(frozen=True)
class SongFiles:
    """A song on the disk.

    `stems` has an entry for each source: the files whose sum is the stem, none for silence. `mixture` is the file of
    the mixture where there is one. `unknown` are audio files whose name is of no stem, `unread` are files with the name
    of a stem in a format that is not read.
    """

    name: str
    path: Path
    stems: tuple[tuple[StemFile, ...], ...]
    mixture: StemFile | None = None
    unknown: tuple[Path, ...] = ()
    unread: tuple[Path, ...] = ()


def find_songs(
    folder: str | Path,
    sources: Sequence[str],
    table: Mapping[str, str | None],
    split: Split = "train",
    unknown_too: bool = False,
) -> list[SongFiles]:
    """The songs of a folder, sorted by path. `table` is that of `names.alias_table`; `split` counts for MUSDB18 roots.

    With `unknown_too`, folders whose files are of no stem are songs as well.

    Raises:
        UserError: the folder is missing or contains no song, or a folder in it cannot be read.
    """
    given, folder = folder, Path(folder)
    if not is_folder(folder):
        raise AudioError(f"no folder of songs at '{as_url(given) or folder}': give one that exists on this computer")
    songs = []
    for entry in sorted(_entries(folder, split)):
        song = _stem_file(entry, sources) if entry.is_file() else _stem_folder(entry, sources, table)
        if any(song.stems) or (unknown_too and (song.unknown or song.unread)):
            songs.append(song)
    if not songs:
        raise AudioError(
            f"'{folder}' contains no songs: expected song/{{{','.join(sources)}}}.wav (or other formats) "
            f"or song{musdb.STEM_FILE}"
        )
    return songs


def find_single_stems(folder: str | Path, sources: Sequence[str], stem: str) -> list[SongFiles]:
    """Every audio file of a folder, at any depth, as a song that has nothing but `stem` of `sources`; sorted by path.

    Raises:
        UserError: the folder is missing or contains no audio, or `stem` is none of the sources.
    """
    folder = Path(folder)
    if stem not in sources:
        raise OptionError(f"'{stem}' is not a stem: {suggestion(stem, sources)}")
    files = audio_files([folder])
    if not files:
        raise AudioError(f"'{folder}' contains no audio files")
    return [
        SongFiles(file.stem, file, tuple((StemFile(file),) if source == stem else () for source in sources))
        for file in files
    ]


def audio_files(folders: Iterable[str | Path]) -> list[Path]:
    """Every audio file of `folders`, at any depth, sorted by path, without hidden files and folders."""
    found = (
        folder / file
        for folder in map(Path, folders)
        for file in (path.relative_to(folder) for path in folder.rglob("*"))
        if not any(part.startswith(".") for part in file.parts)
    )
    return sorted(file for file in found if file.suffix.lower() in SUFFIXES and file.is_file())


def _entries(folder: Path, split: Split) -> list[Path]:
    """Folders and stem files in which songs may be."""
    if not musdb.is_root(folder):
        folders = [folder]
    elif split == "all":
        folders = [folder / "train", folder / "test"]
    else:
        folders = [folder / ("test" if split == "test" else "train")]
    entries = [
        entry for place in folders for entry in folder_entries(place) if _is_folder(entry) or _is_stem_file(entry)
    ]
    if musdb.is_root(folder) and split in ("train", "valid"):
        entries = [entry for entry in entries if (_name(entry) in musdb.VALIDATION) == (split == "valid")]
    return entries


def _is_folder(path: Path) -> bool:
    # Folders that begin with a dot are caches, and songs that are still being written.
    return path.is_dir() and not path.name.startswith(".")


def _is_stem_file(path: Path) -> bool:
    # Files that begin with a dot are what macOS leaves beside each file of a foreign disk.
    return path.name.lower().endswith(musdb.STEM_FILE) and not path.name.startswith(".") and path.is_file()


def _name(entry: Path) -> str:
    return entry.name[: -len(musdb.STEM_FILE)] if _is_stem_file(entry) else entry.name


def _stem_file(path: Path, sources: Sequence[str]) -> SongFiles:
    streams = {name: StemFile(path, stream) for stream, name in enumerate(musdb.STREAMS)}
    stems = tuple((streams[source],) if source in streams else () for source in sources)
    return SongFiles(_name(path), path, stems, streams[MIXTURE])


def _stem_folder(folder: Path, sources: Sequence[str], table: Mapping[str, str | None]) -> SongFiles:
    found: dict[str, list[StemFile]] = {}
    unknown: list[Path] = []
    unread: list[Path] = []
    taken: set[str] = set()
    for file in folder_entries(folder):
        suffix = file.suffix.lower()
        if suffix in _NO_AUDIO or file.name.startswith(".") or not file.is_file():
            continue
        if suffix not in SUFFIXES:
            unread += [file] if stem_of(file.stem, table) else []
            continue
        # The same name in two formats is the same recording twice.
        if file.stem.casefold() in taken:
            continue
        taken.add(file.stem.casefold())
        stem = stem_of(file.stem, table)
        if stem is None:
            unknown.append(file)
        else:
            found.setdefault(stem, []).append(StemFile(file))
    stems = tuple(tuple(found.get(source, ())) for source in sources)
    mixture = found.get(MIXTURE, [None])[0]
    return SongFiles(folder.name, folder, stems, mixture, tuple(unknown), tuple(unread))
