"""A run's numbers: `curve.csv` to read, `curve.png` to look at, tensorboard events to explore."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any


class Curve:
    """Appends one row a validation to `folder/curve.csv` and redraws `folder/curve.png`."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder = folder
        self.events = SummaryWriter(str(folder / "events"))

    def add(self, row: dict[str, float]) -> None:
        """Add `row`, which has `step`, `minutes`, `loss`, and an SDR in dB a stem and as `mean`."""
        path = self.folder / "curve.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow({k: v if isinstance(v, int) else f"{v:.6g}" for k, v in row.items()})
        for key, value in row.items():
            self.events.add_scalar(key, value, int(row["step"]))
        self.events.flush()
        draw_curve(path, self.folder / "curve.png")


def draw_curve(table: Path, picture: Path) -> None:
    """Draw the SDR of every stem and the loss over the steps of `table` (a `curve.csv`) into `picture`."""
    from matplotlib.figure import Figure  # slow to import

    with table.open(newline="", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    steps = [float(row["step"]) for row in rows]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for key in rows[0]:
        if key not in ("step", "minutes", "loss", "lr"):
            bold = key == "mean"
            values = [float(row[key]) for row in rows]
            axes.plot(steps, values, label=key, color="black" if bold else None, linewidth=2.2 if bold else 1.2)
    axes.set(xlabel="step", ylabel="SDR on validation songs, dB (median)")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(loc="lower right")
    losses = axes.twinx()
    losses.plot(steps, [float(row["loss"]) for row in rows], color="grey", linestyle=":", linewidth=1)
    losses.set_ylabel("training loss (dotted)")
    figure.savefig(picture, dpi=110)
