"""Which songs and stems are compared: worked out once, before anything is decoded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from htdemucs_n.datasets.songs import SongFiles
from htdemucs_n.errors import OptionError
from htdemucs_n.evaluation.estimators import Estimator


@dataclass(frozen=True)
class Comparison:
    """Songs with true stems beside the estimates of `estimator`.

    `songs` have a name each, by which all results are filed; their `stems` are those of `sources`, which some song has.
    `stems` are the sources that are scored, because the estimator gives them too. `notes` name the others.
    """

    estimator: Estimator
    songs: Mapping[str, SongFiles]
    sources: tuple[str, ...]
    stems: tuple[str, ...]
    notes: tuple[str, ...]


def compare(songs: Sequence[SongFiles], sources: Sequence[str], estimator: Estimator) -> Comparison:
    """Compare `songs`, whose stems are those of `sources`, with an estimator. Two songs of one name go by their paths.

    Raises:
        UserError: the estimator gives none of the stems that the songs have.
    """
    present = [index for index in range(len(sources)) if any(song.stems[index] for song in songs)]
    kept = tuple(sources[index] for index in present)
    by_name: dict[str, SongFiles] = {}
    for song in songs:
        reduced = dataclasses.replace(song, stems=tuple(song.stems[index] for index in present))
        by_name[str(song.path) if song.name in by_name else song.name] = reduced
    stems = tuple(stem for stem in kept if stem in estimator.sources)
    if not stems:
        theirs = ", ".join(estimator.sources)
        raise OptionError(f"{estimator.name} gives {theirs}, the songs have {', '.join(kept)}: nothing to compare")
    notes = []
    if surplus := [stem for stem in estimator.sources if stem not in kept]:
        notes.append(
            f"not scored, because the songs do not have them: {', '.join(surplus)} "
            "(a silent file as such a stem of a song has its leak scored)"
        )
    if missing := [stem for stem in kept if stem not in stems]:
        notes.append(f"not scored, because {estimator.name} does not have them: {', '.join(missing)}")
    return Comparison(estimator, by_name, kept, stems, tuple(notes))
