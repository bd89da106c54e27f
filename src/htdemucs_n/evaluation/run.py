"""Score every song of a dataset, one at a time for each thread; scores are kept, so an interrupted run can go on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from htdemucs_n.datasets.songs import SongFiles
from htdemucs_n.errors import UserError
from htdemucs_n.evaluation.comparison import Comparison
from htdemucs_n.evaluation.reference import load_reference
from htdemucs_n.evaluation.score import SongScore, score_song
from htdemucs_n.files import write_whole
from htdemucs_n.provenance import code_digest, code_version


@dataclass
class Evaluation:
    """The scores of the songs of a comparison by name, and what went wrong with the others."""

    comparison: Comparison
    songs: dict[str, SongScore] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the tables call the estimates."""
        return self.comparison.estimator.name


def evaluate(
    comparison: Comparison,
    folder: Path,
    groups: Collection[str],
    baselines: bool = True,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score all songs, `jobs` at the same time. The scores of each are stored in `folder/songs/`.

    They are computed again only when the files of the song, the estimator's key, the metrics or the code of this
    package have changed. A song that fails is named in `failures`, and the others go on. `progress` is called with
    (songs done, in all).

    Raises:
        UserError: scores cannot be written, or a package is missing.
    """
    result = Evaluation(comparison)

    def work(song: SongFiles) -> SongScore | UserError:
        kept = folder / "songs" / f"{file_name(song)}.json"
        key = _key(song, comparison, groups, baselines)
        if (score := _load(kept, key)) is not None:
            return score
        try:
            reference = load_reference(song, comparison.sources)
            estimates, notes = comparison.estimator(reference)
        except UserError as error:
            return error
        score = score_song(reference, comparison.estimator.name, estimates, groups, baselines)
        score.notes += notes
        content = {"key": key, "song": song.name, **code_version(), **dataclasses.asdict(score)}
        write_whole(kept, json.dumps(content, indent=1))
        return score

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            for name, score in zip(comparison.songs, pool.map(work, comparison.songs.values()), strict=True):
                if isinstance(score, UserError):
                    result.failures[name] = str(score)
                else:
                    result.songs[name] = score
                if progress:
                    progress(len(result.songs) + len(result.failures), len(comparison.songs))
        except BaseException:  # also Ctrl-C: the songs in work are finished and kept, the others are not begun
            pool.shutdown(cancel_futures=True)
            raise
    return result


def file_name(song: SongFiles) -> str:
    """A name for files about a song, valid on every system and different for every song."""
    digest = hashlib.sha256(str(song.path.resolve()).encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9-]+', '_', song.name)[:60]}-{digest}"


def _key(song: SongFiles, comparison: Comparison, groups: Collection[str], baselines: bool) -> str:
    """What the scores of a song depend on, as a hash."""
    estimator = comparison.estimator
    paths = {file.path for parts in song.stems for file in parts} | ({song.mixture.path} if song.mixture else set())
    paths |= {*song.unknown, *song.unread}
    files = sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
    facts = [code_digest(), files, comparison.sources, estimator.name, estimator.key, sorted(groups), baselines]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _load(path: Path, key: str) -> SongScore | None:
    """Scores that were kept under this key; None where there are none."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return SongScore(kept["scores"], kept["notes"]) if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
