"""The table of `drum_kit.py`, which `report.py` prints without the packages that make drums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ABOUT = {"alone": "alone", "separated": "separated from a song by the shipped model"}
"""The drums that are taken apart."""


def drum_kit_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The rows of a result as lines of Markdown; older results have no velocities."""
    lines = [
        "| drums | part | clips | SDR, dB | leak, dB | hits | onset | velocity |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    return lines + [
        f"| {ABOUT[row['drums']]} | {row['part']} | {row['clips']} | {_figure(row['sdr'], '.1f')} "
        f"| {_figure(row['leak'], '.0f')} | {row['hits']:,} | {_figure(row['onset'], '.2f')} "
        f"| {_figure(row.get('velocity'), '.2f')} |"
        for row in rows
    ]


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
