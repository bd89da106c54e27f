"""Tables and numbers for the terminal and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def number_table(title: str | None, name: str, *columns: str) -> Table:
    """An empty table with names in the first column and numbers, aligned right, in the others."""
    from rich.table import Table

    table = Table(title=title)
    table.add_column(name)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 song, 1,234 songs."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
