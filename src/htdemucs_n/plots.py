"""Save a matplotlib figure to a PNG file, whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from htdemucs_n.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def png_bytes(figure: Figure) -> bytes:
    """The figure as a PNG."""
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure to `path` as a PNG. Raises `UserError` where it cannot be written."""
    write_whole(path, png_bytes(figure))
