"""Print the results of many songs: a line or a JSON object for each, and the failures at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import typer

from htdemucs_n.cli.display import Display
from htdemucs_n.errors import UserError
from htdemucs_n.separation.batch import Batch, SongResult
from htdemucs_n.separation.names import Track
from htdemucs_n.separation.separator import Progress
from htdemucs_n.separation.track import STANDARD


class BatchReport:
    """Prints the results of a batch as they come.

    Args:
        to_pipe: the stems go to standard output, so words go to standard error.
        quiet_about_kept: songs that were kept are counted and not listed.
        as_json: one JSON object per song in place of lines.
    """

    def __init__(self, to_pipe: bool, quiet_about_kept: bool, as_json: bool) -> None:
        self._to_pipe, self._quiet_about_kept, self._as_json = to_pipe, quiet_about_kept, as_json
        self._failures: list[UserError] = []
        self._kept = 0

    def run(self, batch: Batch, tracks: Sequence[Track | UserError], jobs: int) -> bool:
        """Separate all and print the results. True if none failed."""
        with Display(len(tracks)) as display:

            def report(result: SongResult) -> None:
                self.add(result)
                display.finish_one()

            def show(track: Track) -> AbstractContextManager[Progress | None]:
                return display.track(track.path.name, batch.separator.segment_seconds)

            batch.run(tracks, report, jobs, show)
        if self._kept and self._quiet_about_kept and not self._as_json:
            self._say(f"the stems of {self._kept} of {len(tracks)} songs existed already")
        for failure in self._failures:
            typer.echo(f"error: {failure}", err=True)
        if self._failures and len(tracks) > 1:
            typer.echo(f"{len(self._failures)} of {len(tracks)} tracks failed", err=True)
        return not self._failures

    def add(self, result: SongResult) -> None:
        """Print one result; errors wait for the end."""
        if result.error is not None:
            self._failures.append(result.error)
        self._kept += result.status == "kept"
        if self._as_json:
            self._say(json.dumps(_entry(result), ensure_ascii=False))
        elif result.track is not None and result.error is None:
            self._say_line(result, result.track)

    def _say_line(self, result: SongResult, track: Track) -> None:
        line = f"{track.path} -> {_place(result.files)}"
        if result.status == "in work":
            self._say(f"{line}: another process is separating it")
            return
        if result.status == "kept":
            if self._quiet_about_kept and not result.outcome.notes:
                return
            self._say(f"{line}: its stems exist and are kept (--force replaces them)")
        else:
            self._say(f"{line} ({_duration(result)})")
        for note in result.outcome.notes:
            self._say(f"  note: {note}")

    def _say(self, line: str) -> None:
        typer.echo(line, err=self._to_pipe)


def _entry(result: SongResult) -> dict[str, Any]:
    """A result as JSON has it."""
    entry: dict[str, Any] = {"track": str(result.track.path) if result.track else None, "status": result.status}
    if result.error is not None:
        return entry | {"error": str(result.error)}
    entry["stems"] = {stem: str(path) for stem, path in result.files.items()}
    if result.status == "separated":
        outcome = result.outcome
        entry |= {
            "seconds": round(outcome.seconds, 3),
            "elapsed": round(outcome.elapsed, 3),
            "real_time_factor": round(outcome.speed, 2),
            "gain": outcome.gain,
        }
    return entry | ({"notes": result.outcome.notes} if result.status == "separated" or result.outcome.notes else {})


def _duration(result: SongResult) -> str:
    minutes, seconds = divmod(result.outcome.seconds, 60)
    elapsed, speed = result.outcome.elapsed, result.outcome.speed
    return f"{int(minutes)}:{seconds:04.1f} in {elapsed:.1f} s, {speed:.1f} x real time"


def _place(files: dict[str, Path]) -> str:
    """The folder of the stems, or the file where there is one."""
    paths = list(files.values())
    if paths == [STANDARD]:
        return "standard output"
    return str(paths[0] if len(paths) == 1 or len({path.parent for path in paths}) > 1 else paths[0].parent)
