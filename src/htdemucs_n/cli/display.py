"""Progress on a terminal: a bar for each song that is being separated, one for all songs, and the speed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.progress import ProgressColumn, Task
from rich.text import Text

from htdemucs_n.cli.progress import progress_bar
from htdemucs_n.separation.separator import Progress


class Display:
    """The bars of one command (see `progress_bar`)."""

    def __init__(self, tracks: int) -> None:
        self._bars = progress_bar(_Speed())
        self._all = self._bars.add_task(f"{tracks} songs", total=tracks, visible=tracks > 1)

    def __enter__(self) -> Display:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    @contextmanager
    def track(self, name: str, segment_seconds: float) -> Iterator[Progress]:
        """A bar while one song is separated; yields what is to be called with (segments done, segments in all)."""
        task = self._bars.add_task(name, total=None, segment_seconds=segment_seconds)
        try:
            yield lambda done, total: self._bars.update(task, completed=done, total=total or None)
        finally:
            self._bars.remove_task(task)

    def finish_one(self) -> None:
        """Count one more finished song."""
        self._bars.advance(self._all)


class _Speed(ProgressColumn):
    """Seconds of the song per second."""

    def render(self, task: Task) -> Text:
        """The text of the column."""
        seconds = task.completed * task.fields.get("segment_seconds", 0.0)
        return Text(f"{seconds / task.elapsed:.1f} x real time" if seconds and task.elapsed else "")
