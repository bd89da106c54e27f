"""Songs of which only some stems are known.

    folder/
      A song/
        vocals.wav              a stem
        rest.wav                everything else: also instrumental, accompaniment, backing; or no_vocals
      Another song/
        guitar.wav              a part of other, by its name
        drums+bass+vocals.wav   a sum of stems
      A third song/
        drums.wav
        mixture.wav             the sum of all: everything else is what remains without the drums

Names are those of `htdemucs_n.datasets.names`. All files of a song start together, and every source is in one of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from htdemucs_n.audio.suffixes import SUFFIXES
from htdemucs_n.datasets.bandwidth import bandwidth
from htdemucs_n.datasets.decode import DecodedStem, StemReader, at_one_scale, quantise
from htdemucs_n.datasets.names import MIXTURE, alias_table, stem_of
from htdemucs_n.datasets.songs import StemFile
from htdemucs_n.errors import UserError
from htdemucs_n.files import folder_entries
from htdemucs_n.training.bank import Song

_NAMES_OF_REST = ("rest", "instrumental", "accompaniment", "backing")

_REST = "the rest"
"""The stem of these names, as `MIXTURE` is that of others."""


def load_partial(
    folders: Sequence[str | Path],
    sources: Sequence[str],
    sample_rate: int,
    workers: int,
    device: str = "cpu",
    *,
    aliases: Mapping[str, str | None] | None = None,
    cache: str | Path | None = None,
) -> tuple[Song, ...]:
    """Decode the songs of `folders`, sorted by path; the arguments are those of `bank.load_songs`.

    Raises:
        UserError: a folder is missing or has no song that can be read, or the files of a song do not say which
            sources they hold.
    """
    table = dict.fromkeys(_NAMES_OF_REST, _REST) | alias_table(sources, aliases)
    reader = StemReader(sample_rate, cache)
    found = [[(entry, _grouped(entry, sources, table)) for entry in _song_folders(Path(folder))] for folder in folders]

    def load(item: tuple[Path, dict[tuple[int, ...], list[StemFile]]]) -> Song | None:
        folder, files = item
        recordings = {group: stem for group, parts in files.items() if (stem := reader.read(parts)) is not None}
        if any(file in reader.unreadable for parts in files.values() for file in parts):
            return None  # without one file, the others would not add up to the song
        return _song(folder, recordings, len(sources), sample_rate, device)

    songs: list[Song] = []
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for folder, items in zip(folders, found, strict=True):
            read = [song for song in pool.map(load, items) if song is not None]
            if not read:
                raise UserError(
                    f"no song in '{folder}' (dset.partial) can be read whole: the log names the files that cannot"
                )
            songs += read
    reader.report(sum(len(parts) for items in found for _, files in items for parts in files.values()))
    return tuple(songs)


def _song_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"no folder of songs at '{folder}' (dset.partial): give one that exists")
    entries = [entry for entry in folder_entries(folder) if entry.is_dir() and not entry.name.startswith(".")]
    if not entries:
        raise UserError(
            f"'{folder}' (dset.partial) contains no songs: expected song/{{vocals,rest}}.wav or other names"
        )
    return entries


def _grouped(
    folder: Path, sources: Sequence[str], table: Mapping[str, str | None]
) -> dict[tuple[int, ...], list[StemFile]]:
    """The files of a song by the sources that they hold the sum of; all sources are the mixture, where it is needed."""
    everything = tuple(range(len(sources)))
    audio: dict[str, Path] = {}
    for file in folder_entries(folder):
        if file.suffix.lower() in SUFFIXES and not file.name.startswith("."):
            audio.setdefault(file.stem.casefold(), file)  # the same name in two formats is the same recording twice
    files: dict[tuple[int, ...], list[StemFile]] = {}
    for file in audio.values():
        group = _sources_of(file.stem, sources, table)
        if group is None:
            raise UserError(f"'{file}' (dset.partial): name it by its stems, such as vocals or drums+bass, or rest")
        files.setdefault(group, []).append(StemFile(file))
    rest = files.pop((), None)
    known = [source for group in files if group != everything for source in group]
    others = tuple(source for source in everything if source not in known)
    if len(known) != len(set(known)):
        raise UserError(
            f"'{folder}' (dset.partial): a stem is in two files, and it is not known how they divide it: remove one"
        )
    if len(files.get(everything, ())) > 1:
        raise UserError(f"'{folder}' (dset.partial): two files are a mixture: keep one of them")
    if rest and not others:
        raise UserError(
            f"'{folder}' (dset.partial): every stem has a file, so '{rest[0].path.name}' has nothing to hold: remove it"
        )
    if not known or (others and not rest and everything not in files):
        raise UserError(f"'{folder}' (dset.partial): give a stem, and rest or mixture for what is in no other file")
    if rest:
        files[others] = rest
    if rest or not others:
        files.pop(everything, None)
    return files


def _sources_of(name: str, sources: Sequence[str], table: Mapping[str, str | None]) -> tuple[int, ...] | None:
    """The sources that a file is the sum of, by its `name`: none for the rest, None where the name does not say."""
    without = {_plain(f"no {source}"): source for source in sources}
    if absent := without.get(_plain(name)):
        return tuple(index for index, source in enumerate(sources) if source != absent)
    stems = [stem_of(part, table) for part in name.split("+")]
    if stems == [_REST]:
        return ()
    if stems == [MIXTURE]:
        return tuple(range(len(sources)))
    indices = {index for index, source in enumerate(sources) if source in stems}
    return tuple(sorted(indices)) if all(stem in sources for stem in stems) else None


def _plain(name: str) -> str:
    """A name in lower case, its words alone: numbers and punctuation do not count."""
    return " ".join(re.findall(r"[^\W\d_]+", name.casefold()))


def _song(
    folder: Path,
    recordings: dict[tuple[int, ...], DecodedStem],
    sources: int,
    sample_rate: int,
    device: str,
) -> Song:
    """The song of recordings by their sources, the remainder of the mixture among them."""
    everything = tuple(range(sources))
    if (mixture := recordings.pop(everything, None)) is not None:
        others = tuple(source for source in everything if not any(source in group for group in recordings))
        recordings[others] = _remainder(mixture, list(recordings.values()))
    groups = tuple(sorted(recordings))
    samples = at_one_scale([recordings[group] for group in groups])
    return Song(
        folder.name,
        tuple(None if part is None else torch.from_numpy(part).to(device) for part in samples),
        tuple(math.inf if part is None else bandwidth(part, sample_rate) for part in samples),
        groups=groups,
    )


def _remainder(mixture: DecodedStem, parts: Sequence[DecodedStem]) -> DecodedStem:
    """The mixture without `parts`, all `(C, T)`."""
    rest = mixture.floats()
    for part in parts:
        length = min(part.samples.shape[1], rest.shape[1])
        rest[:, :length] -= part.floats()[:, :length]
    return quantise(rest)
