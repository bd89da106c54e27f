"""Score every song of a dataset, one at a time for each thread; what is done is kept, so an interrupted run goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from htdemucs_n import __version__
from htdemucs_n.datasets.songs import SongFiles
from htdemucs_n.errors import UserError
from htdemucs_n.evaluation.estimators import Estimator
from htdemucs_n.evaluation.reference import load_reference
from htdemucs_n.evaluation.score import SongScore, score_song
from htdemucs_n.files import write_whole

log = logging.getLogger(__name__)


@dataclass
class Evaluation:
    """The scores of all songs by name, in the order of the dataset, and what went wrong with the others."""

    name: str
    songs: dict[str, SongScore] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def common_sources(
    songs: Sequence[SongFiles], sources: Sequence[str], estimator: Estimator
) -> tuple[list[SongFiles], list[str], list[str]]:
    """The songs with only those of `sources` that any of them has, these sources, and notes on what is not scored.

    Raises:
        UserError: the estimates have none of the stems.
    """
    present = [index for index in range(len(sources)) if any(song.stems[index] for song in songs)]
    kept = [sources[index] for index in present]
    fewer = [dataclasses.replace(song, stems=tuple(song.stems[index] for index in present)) for song in songs]
    notes = []
    if not set(kept) & set(estimator.sources):
        theirs = ", ".join(estimator.sources)
        raise UserError(f"{estimator.name} gives {theirs}, the songs have {', '.join(kept)}: nothing to compare")
    if surplus := [stem for stem in estimator.sources if stem not in kept]:
        notes.append(f"not scored, the songs have no {', '.join(surplus)}")
    if missing := [stem for stem in kept if stem not in estimator.sources]:
        notes.append(f"not scored, {estimator.name} has no {', '.join(missing)}")
    return fewer, kept, notes


def evaluate(
    songs: Sequence[SongFiles],
    sources: Sequence[str],
    estimator: Estimator,
    folder: Path,
    groups: Collection[str],
    baselines: bool = True,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score `songs`, `jobs` at the same time. Each song's scores are kept in `folder/songs/` and not made twice.

    They are made anew when the song's files, the estimator's key, the metrics or this program's version have changed.
    A song that fails is named in `failures`, and the others go on. `progress` is called with (songs done, in all).

    Raises:
        UserError: scores can't be written, or a package is missing.
    """
    songs, sources, notes = common_sources(songs, sources, estimator)
    result = Evaluation(estimator.name, notes=notes)

    def work(song: SongFiles) -> SongScore | UserError:
        kept = folder / "songs" / f"{file_name(song)}.json"
        key = _key(song, sources, estimator, groups, baselines)
        if (score := _load(kept, key)) is not None:
            return score
        try:
            reference = load_reference(song, sources)
            estimates, notes = estimator(reference)
        except UserError as error:
            return error
        score = score_song(reference, estimator.name, estimates, groups, baselines)
        score.notes += notes
        write_whole(kept, json.dumps({"key": key, "song": song.name} | dataclasses.asdict(score), indent=1))
        return score

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            for done, (song, score) in enumerate(zip(songs, pool.map(work, songs), strict=True), 1):
                taken = song.name in result.songs or song.name in result.failures
                name = str(song.path) if taken else song.name
                if isinstance(score, UserError):
                    result.failures[name] = str(score)
                else:
                    result.songs[name] = score
                if progress:
                    progress(done, len(songs))
        except BaseException:  # also Ctrl-C: what runs is finished and kept, the rest not begun
            pool.shutdown(cancel_futures=True)
            raise
    return result


def file_name(song: SongFiles) -> str:
    """A name for files about a song, good on every system and different for every song."""
    digest = hashlib.sha256(str(song.path.resolve()).encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9-]+', '_', song.name)[:60]}-{digest}"


def _key(
    song: SongFiles, sources: Sequence[str], estimator: Estimator, groups: Collection[str], baselines: bool
) -> str:
    paths = {file.path for parts in song.stems for file in parts} | ({song.mixture.path} if song.mixture else set())
    files = sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
    facts = [__version__, files, list(sources), estimator.name, estimator.key, sorted(groups), baselines]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _load(path: Path, key: str) -> SongScore | None:
    """Scores that were kept under this key; None where there are none."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return SongScore(kept["scores"], kept["notes"]) if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
