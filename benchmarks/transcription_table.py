"""The table of `transcription.py`, which `report.py` prints without the packages that make songs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ABOUT = {"true stems": "the true stems", "separated": "the stems that the shipped model separates"}
"""What is transcribed."""


def transcription_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The rows of a result as lines of Markdown."""
    lines = ["| transcribed | stem | notes | onset | onset and pitch | tempo |", "|---|---|---:|---:|---:|---:|"]
    return lines + [
        f"| {ABOUT[row['transcribed']]} | {row['stem']} | {row['notes']:,} | {row['onset']:.3f} "
        f"| {row['onset and pitch']:.3f} | {row['tempo']:.2f} |"
        for row in rows
    ]
