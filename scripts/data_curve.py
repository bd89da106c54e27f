"""Draw what a minute of training songs buys: the scores of runs that differ only in how many songs they had.

    python scripts/data_curve.py docs/lab/data-curve.csv docs/data-curve.png

Each row of the table has the minutes of songs in stems, the training steps, and the score on held-out songs in dB.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

from htdemucs_n.plots import new_figure, require_matplotlib, save_figure


def draw(table: Path, picture: Path) -> None:
    """One line for each number of steps, over the minutes of songs."""
    require_matplotlib("the picture")
    lines: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            lines[int(row["steps"])].append((float(row["minutes"]), float(row["sdr"])))
    figure = new_figure(7, 4.2)
    axis = figure.subplots()
    for steps, points in sorted(lines.items()):
        axis.plot(*zip(*sorted(points), strict=True), marker="o", label=f"{steps:,} steps")
    minutes = sorted({minute for points in lines.values() for minute, _ in points})
    axis.set_xscale("log")
    axis.set_xticks(minutes, [f"{minute:g}" for minute in minutes])
    axis.minorticks_off()
    axis.set(xlabel="minutes of songs in stems", ylabel="SDR on held-out songs, dB")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    save_figure(figure, picture)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
