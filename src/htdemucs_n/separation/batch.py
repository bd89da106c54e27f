"""Many songs, one after the other or several at once, each with its own result."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Literal

from htdemucs_n.errors import Cancelled, OutputError, UserError
from htdemucs_n.files import file_identity
from htdemucs_n.separation.claims import SongRecord, Source
from htdemucs_n.separation.names import Namer, Track
from htdemucs_n.separation.separator import Progress, Separator
from htdemucs_n.separation.stem_file import file_names
from htdemucs_n.separation.stems import StemChoice
from htdemucs_n.separation.track import STANDARD, Outcome, Output, separate_track

Status = Literal["separated", "kept", "in work", "failed"]


@dataclass
class SongResult:
    """The result of a song.

    `separated`; `kept`, its stems were there; `in work`, another process separates it; or `failed`, with its `error`.
    """

    track: Track | None
    status: Status
    files: dict[str, Path] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)
    error: UserError | None = None


ShowProgress = Callable[[Track], AbstractContextManager[Progress | None]]
"""For a song that begins: a context whose value is called with its segments."""


class Batch:
    """Separates songs into the files that `namer` gives their stems.

    Args:
        separator: separates.
        choice: which stems are written.
        output: how they are written.
        namer: where they go.
        out: the folder that all of them are below; None for standard output.
        force: replace stems that are there; otherwise they are kept.
    """

    def __init__(
        self,
        separator: Separator,
        choice: StemChoice,
        output: Output,
        namer: Namer,
        out: Path | None,
        *,
        force: bool = False,
    ) -> None:
        self.separator, self.choice, self.output = separator, choice, output
        self.namer, self.out, self.force = namer, out, force
        self._inputs: set[tuple[int, int]] = set()
        self._cancel = Event()
        self._lock = Lock()

    def run(
        self,
        tracks: Sequence[Track | UserError],
        report: Callable[[SongResult], None],
        jobs: int = 1,
        show: ShowProgress = lambda track: nullcontext(),
    ) -> None:
        """Separate `tracks`, `jobs` at a time; an error in the place of a song is its result.

        `report` is called with each song's result, from one thread at a time. A song that fails does not stop the
        others.
        """
        self._inputs = {place for track in tracks if isinstance(track, Track) if (place := file_identity(track.path))}

        def one(track: Track | UserError) -> None:
            result = self._result(track, show)
            if result is not None:
                with self._lock:
                    report(result)

        if jobs == 1:
            for track in tracks:
                one(track)
            return
        with ThreadPoolExecutor(jobs) as pool:
            waiting = [pool.submit(one, track) for track in tracks]
            try:
                for done in waiting:
                    done.result()
            except BaseException:  # Ctrl-C: those that run stop at their next segment, the others never start
                self._cancel.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _result(self, track: Track | UserError, show: ShowProgress) -> SongResult | None:
        """The result of a song; None where the work was cancelled."""
        if isinstance(track, UserError):
            return SongResult(None, "failed", error=track)
        try:
            return self._separate(track, show)
        except Cancelled:
            return None
        except UserError as error:
            return SongResult(track, "failed", error=error)

    def _separate(self, track: Track, show: ShowProgress) -> SongResult:
        if self.out is None:
            files = {file_names(self.output.format, self.choice)[0]: STANDARD}
            return SongResult(track, "separated", files, self._written(track, files, show))
        with self._lock:
            named = self.namer.name(track)
        self._check_targets(track, named.files)
        record = SongRecord(self.out, named.files.values())
        with record.claimed() as mine:
            if not mine:
                return SongResult(track, "in work", named.files)
            missing = {stem: path for stem, path in named.files.items() if self.force or not path.is_file()}
            sources = {record.source(path) for stem, path in named.files.items() if stem not in missing}
            others = {source.name for source in sources if source is not None and not source.is_file(track.path)}
            notes = [
                f"the existing stems belong to another song, '{name}': --force replaces them" for name in sorted(others)
            ]
            if None in sources:
                notes.append("it is not known which song the existing stems belong to: --force replaces them")
            if not missing or others:
                return SongResult(track, "kept", named.files, Outcome(notes=notes))
            outcome = self._written(track, missing, show)
            record.remember(track.path, missing.values(), outcome.gain)
        if sources:
            outcome.notes += ["existing stems are kept: --force replaces them", *notes, *_unlike(sources, outcome.gain)]
        if named.numbered:
            outcome.notes.append("another song has the same name, so a number was added")
        return SongResult(track, "separated", named.files, outcome)

    def _written(self, track: Track, files: dict[str, Path], show: ShowProgress) -> Outcome:
        with show(track) as progress:
            return separate_track(track.path, files, self.separator, self.choice, self.output, progress, self._cancel)

    def _check_targets(self, track: Track, files: dict[str, Path]) -> None:
        """Raise `OutputError` where a stem would replace a song of this batch, itself among them."""
        for stem, path in files.items():
            if file_identity(path) in self._inputs:
                raise OutputError(
                    f"'{path}' would be replaced by the {stem} of '{track.path}': choose another -o or --filename"
                )


def _unlike(sources: Collection[Source | None], gain: float) -> list[str]:
    """A note where existing stems, of which `sources` are the records, have another gain than new ones, or may have."""
    gains = {None if source is None else source.gain for source in sources}
    if any(known is not None and not math.isclose(known, gain, rel_tol=1e-5) for known in gains):
        return ["the existing stems are scaled otherwise than the new ones and do not add up: --force writes all alike"]
    if None in gains and gain < 1:
        return ["the existing stems may be scaled otherwise than the new ones: --force writes all alike"]
    return []
