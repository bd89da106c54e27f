"""Where estimates come from: a model that separates the mixture, or a folder of stems that are separated already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from htdemucs_n.datasets.decode import add_up, convert
from htdemucs_n.datasets.names import alias_table
from htdemucs_n.datasets.songs import find_songs
from htdemucs_n.errors import AudioError
from htdemucs_n.evaluation.reference import Reference
from htdemucs_n.evaluation.score import fit
from htdemucs_n.separation.names import safe_name


class Estimator(Protocol):
    """Gives the estimated stems of a song."""

    name: str
    """What the tables call it."""

    key: str
    """Changes when the estimates would: scores that were computed with another key are computed again."""

    sources: Sequence[str]
    """Names of its stems."""

    def __call__(self, reference: Reference) -> tuple[dict[str, Tensor], list[str]]:
        """Stems in the shape of the reference's, those that both have; and notes. Raises `UserError`."""


class ModelEstimates:
    """Separates the mixture: `separate(mixture (C, T), sample_rate)` gives stems `(C, T)`, as `Separator.separate`."""

    def __init__(
        self, name: str, key: str, sources: Sequence[str], separate: Callable[[Tensor, int], Mapping[str, Tensor]]
    ) -> None:
        self.name, self.key, self.sources, self._separate = name, key, sources, separate

    def __call__(self, reference: Reference) -> tuple[dict[str, Tensor], list[str]]:
        """As `Estimator`."""
        stems = self._separate(reference.mixture, reference.sample_rate)
        return _fitted(stems, reference)


class FolderEstimates:
    """Reads `folder/<song>/<stem>.wav`, or any format, the songs named as in the dataset (or with `.stem` behind).

    Raises:
        UserError: the folder is missing or contains no song.
    """

    def __init__(self, folder: Path, sources: Sequence[str]) -> None:
        songs = find_songs(folder, sources, alias_table(sources), "all")
        # `separate` writes "A song.stem.mp4" to the folder "A song.stem", and "What?" to "What_".
        self._songs = {safe_name(song.name.removesuffix(".stem")): song for song in songs}
        self._songs |= {song.name: song for song in songs}
        self._folder = folder
        self.name = folder.name or str(folder)
        self.sources: Sequence[str] = [
            source for index, source in enumerate(sources) if any(song.stems[index] for song in songs)
        ]
        files = [file.path for song in songs for parts in song.stems for file in parts]
        self.key = repr([(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files])
        self._all = list(sources)

    def __call__(self, reference: Reference) -> tuple[dict[str, Tensor], list[str]]:
        """As `Estimator`; stems at another rate are resampled to the reference's."""
        song = self._songs.get(reference.name) or self._songs.get(safe_name(reference.name))
        if song is None:
            raise AudioError(f"'{self._folder}' has no stems of '{reference.name}': expected a folder of that name")
        stems: dict[str, Tensor] = {}
        notes: list[str] = []
        rate = reference.sample_rate
        for source, files in zip(self._all, song.stems, strict=True):
            parts = []
            for file in files:
                audio = file.read()
                if audio.sample_rate != rate:
                    notes.append(f"{source}: estimate at {audio.sample_rate} Hz, resampled to {rate}")
                parts.append(convert(audio, rate, 2))
            if parts:
                stems[source] = torch.from_numpy(add_up(parts))
            elif source in self.sources:
                notes.append(f"{source}: no file, not scored")
        fitted, more = _fitted(stems, reference)
        return fitted, notes + more


def _fitted(stems: Mapping[str, Tensor], reference: Reference) -> tuple[dict[str, Tensor], list[str]]:
    """The stems that the reference has too, in its shape."""
    result, notes = {}, []
    for stem, truth in reference.stems.items():
        if stem in stems:
            result[stem], note = fit(stems[stem], truth)
            notes += [f"{stem}: {note}"] if note else []
    return result, notes
