"""Many songs, one after the other or several at once: what is kept, what failed, what the user is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

import typer

from htdemucs_n.cli.display import Display
from htdemucs_n.errors import Cancelled, UserError
from htdemucs_n.separation import Separator
from htdemucs_n.separation.names import Namer, Track
from htdemucs_n.separation.stems import StemChoice
from htdemucs_n.separation.track import STANDARD, Outcome, Output, separate_track


@dataclass
class Batch:
    """How the songs of one command are separated, and what has become of them."""

    separator: Separator
    choice: StemChoice
    output: Output
    namer: Namer
    force: bool
    quiet_about_kept: bool
    to_pipe: bool
    as_json: bool
    failures: list[UserError] = field(default_factory=list)
    kept: int = 0
    _cancel: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def run(self, tracks: Sequence[Track | UserError], jobs: int) -> bool:
        """Separate all; prints a line (or JSON object) a song, and the failures at the end. True if none failed."""
        with Display(len(tracks)) as display:
            if jobs == 1:
                for track in tracks:
                    self._one(track, display)
            else:
                with ThreadPoolExecutor(jobs) as pool:
                    waiting = [pool.submit(self._one, track, display) for track in tracks]
                    try:
                        for done in waiting:
                            done.result()
                    except BaseException:  # Ctrl-C: those that run stop at their next segment, the others never start
                        self._cancel.set()
                        pool.shutdown(cancel_futures=True)
                        raise
        if self.kept and self.quiet_about_kept and not self.as_json:
            self._say(f"{self.kept} of {len(tracks)} songs had their stems already")
        for failure in self.failures:
            typer.echo(f"error: {failure}", err=True)
        if self.failures and len(tracks) > 1:
            typer.echo(f"{len(self.failures)} of {len(tracks)} tracks failed", err=True)
        return not self.failures

    def _one(self, track: Track | UserError, display: Display) -> None:
        try:
            if isinstance(track, UserError):
                raise track
            self._separate(track, display)
        except Cancelled:
            return
        except UserError as error:
            with self._lock:
                self.failures.append(error)
                if self.as_json:
                    path = str(track.path) if isinstance(track, Track) else None
                    self._print({"track": path, "status": "failed", "error": str(error)})
        finally:
            display.finish_one()

    def _separate(self, track: Track, display: Display) -> None:
        with self._lock:
            files, name = ({}, track.name) if self.to_pipe else self.namer.name(track)
        if self.to_pipe:
            files = {self.choice.names[0]: STANDARD}
        missing = {stem: path for stem, path in files.items() if self.force or path == STANDARD or not path.exists()}
        if not missing:
            return self._keep(track, files)
        with display.track(track.path.name, self.separator.segment_seconds) as progress:
            outcome = separate_track(
                track.path, missing, self.separator, self.choice, self.output, progress, self._cancel
            )
        if len(missing) < len(files):
            outcome.notes.append("stems that were there are kept, --force replaces them")
        if name != track.name:
            outcome.notes.append("another song has its name, so it got a number")
        self._report(track, files, outcome)
        return None

    def _keep(self, track: Track, files: dict[str, Path]) -> None:
        with self._lock:
            self.kept += 1
            if self.as_json:
                self._print({"track": str(track.path), "status": "kept", "stems": _strings(files)})
            elif not self.quiet_about_kept:
                self._say(f"{track.path} -> {_place(files)}: its stems are there and are kept (--force replaces them)")

    def _report(self, track: Track, files: dict[str, Path], outcome: Outcome) -> None:
        speed = outcome.seconds / max(outcome.elapsed, 1e-9)
        with self._lock:
            if self.as_json:
                self._print(
                    {
                        "track": str(track.path),
                        "status": "separated",
                        "stems": _strings(files),
                        "seconds": round(outcome.seconds, 3),
                        "elapsed": round(outcome.elapsed, 3),
                        "real_time_factor": round(speed, 2),
                        "gain": outcome.gain,
                        "notes": outcome.notes,
                    }
                )
                return
            minutes, seconds = divmod(outcome.seconds, 60)
            took = f"{int(minutes)}:{seconds:04.1f} in {outcome.elapsed:.1f} s, {speed:.1f} x real time"
            self._say(f"{track.path} -> {_place(files)} ({took})")
            for note in outcome.notes:
                self._say(f"  note: {note}")

    def _say(self, line: str) -> None:
        typer.echo(line, err=self.to_pipe)  # where stems go to standard output, words must not

    def _print(self, entry: dict[str, Any]) -> None:
        typer.echo(json.dumps(entry, ensure_ascii=False), err=self.to_pipe)


def _strings(files: dict[str, Path]) -> dict[str, str]:
    return {stem: str(path) for stem, path in files.items()}


def _place(files: dict[str, Path]) -> str:
    """The folder of the stems, or the file where there is one."""
    paths = list(files.values())
    if paths == [STANDARD]:
        return "standard output"
    return str(paths[0] if len(paths) == 1 or len({path.parent for path in paths}) > 1 else paths[0].parent)
