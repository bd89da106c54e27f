"""Songs of which only some stems are known.

    folder/
      A song/
        vocals.wav              a stem
        rest.wav                everything else: also instrumental, accompaniment, backing
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

_REST = ("rest", "instrumental", "accompaniment", "backing")


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
        UserError: a folder is missing or empty, or the files of a song do not say which sources they hold.
    """
    table = alias_table(sources, aliases)
    reader = StemReader(sample_rate, cache)
    entries = [entry for folder in folders for entry in _song_folders(Path(folder))]
    found = [(entry, _grouped(entry, sources, table)) for entry in entries]

    def load(item: tuple[Path, dict[tuple[int, ...], list[StemFile]]]) -> Song | None:
        folder, files = item
        recordings = {group: reader.read(parts) for group, parts in files.items()}
        return _song(folder, recordings, len(sources), sample_rate, device)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        songs = tuple(song for song in pool.map(load, found) if song is not None)
    reader.report(sum(len(parts) for _, files in found for parts in files.values()))
    return songs


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
    """The files of a song by the sources that they hold the sum of; all sources are the mixture."""
    everything = tuple(range(len(sources)))
    files: dict[tuple[int, ...], list[StemFile]] = {}
    rest: list[StemFile] = []
    for file in folder_entries(folder):
        if file.suffix.lower() not in SUFFIXES or file.name.startswith("."):
            continue
        stems = [stem_of(part, table) for part in file.stem.split("+")]
        if file.stem.lower() in _REST:
            rest.append(StemFile(file))
        elif stems == [MIXTURE]:
            files[everything] = [StemFile(file)]
        elif any(stem not in sources for stem in stems):
            raise UserError(f"'{file}' (dset.partial): name it by its stems, such as vocals or drums+bass, or rest")
        else:
            group = tuple(sorted({list(sources).index(str(stem)) for stem in stems}))
            files.setdefault(group, []).append(StemFile(file))
    known = [source for group in files if group != everything for source in group]
    others = tuple(source for source in everything if source not in known)
    if len(known) != len(set(known)):
        raise UserError(f"'{folder}' (dset.partial): a stem is in two files, and it is not known how they divide it")
    if rest and others:
        files[others] = rest
        files.pop(everything, None)
    elif not known or (others and everything not in files):
        raise UserError(f"'{folder}' (dset.partial): give a stem, and rest or mixture for what is in no other file")
    return files


def _song(
    folder: Path,
    recordings: dict[tuple[int, ...], DecodedStem | None],
    sources: int,
    sample_rate: int,
    device: str,
) -> Song | None:
    """The song of recordings by their sources, the remainder of the mixture among them. None if one can't be read."""
    everything = tuple(range(sources))
    mixture = recordings.pop(everything, None)
    others = tuple(source for source in everything if not any(source in group for group in recordings))
    if any(stem is None for stem in recordings.values()) or (others and mixture is None):
        return None
    if others and mixture is not None:
        recordings[others] = _remainder(mixture, [stem for stem in recordings.values() if stem is not None])
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
