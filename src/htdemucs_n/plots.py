"""Figures of matplotlib, an optional package: made without a display, saved whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from htdemucs_n.errors import missing_package
from htdemucs_n.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def require_matplotlib(what: str, extra: str = "evaluate") -> None:
    """Raise `UserError` unless matplotlib is installed; the message names `what` needs it and the `extra` that has it.

    A command calls this before its work, so that no result is lost for want of a picture.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise missing_package(what, "matplotlib", extra) from error


def new_figure(width: float, height: float, dpi: int = 100) -> Figure:
    """An empty figure of this size in inches, in no window and no global state. matplotlib must be installed."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=dpi, layout="constrained")


def png_bytes(figure: Figure) -> bytes:
    """The figure as a PNG."""
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure to `path` as a PNG. Raises `UserError` where it cannot be written."""
    write_whole(path, png_bytes(figure))
