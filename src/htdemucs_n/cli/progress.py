"""The progress bar of the verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


def progress_bar(*more: ProgressColumn) -> Progress:
    """A bar on stderr that goes when it is done, with `more` columns; none where stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %, time left"),
        TimeRemainingColumn(),
        *more,
        console=console,
        transient=True,
        redirect_stdout=False,  # what is printed goes where it was sent
        disable=not console.is_terminal,
    )
