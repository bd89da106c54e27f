"""A run's numbers: `curve.csv` to read, `curve.png` to look at, tensorboard events to explore."""

from __future__ import annotations

import csv
from pathlib import Path

from htdemucs_n.files import whole_file
from htdemucs_n.plots import new_figure, require_matplotlib, save_figure


class Curve:
    """Adds one row a validation to `folder/curve.csv` and redraws `folder/curve.png`.

    A run that goes on from `step` leaves out the rows after it, which it will write again. Raises `UserError` where the
    table or the picture cannot be written or matplotlib is not installed, `OSError` where the events cannot.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        require_matplotlib("the training curve", "train")
        self.folder = folder
        self.rows = [row for row in _read(folder / "curve.csv") if float(row["step"]) <= step]
        self.events = SummaryWriter(str(folder / "events"), purge_step=step + 1)

    def add(self, row: dict[str, float]) -> None:
        """Add `row`, which has `step`, `minutes`, `loss`, and an SDR in dB a stem and as `mean`."""
        self.rows.append({k: str(v) if isinstance(v, int) else f"{v:.6g}" for k, v in row.items()})
        path = self.folder / "curve.csv"
        with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            # Rows that an older version wrote may lack some columns.
            writer = csv.DictWriter(file, list(row), extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self.rows)
        for key, value in row.items():
            self.events.add_scalar(key, value, int(row["step"]))
        self.events.flush()
        draw_curve(path, self.folder / "curve.png")


def _read(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def draw_curve(table: Path, picture: Path) -> None:
    """Draw the SDR of every stem and the loss over the steps of `table` (a `curve.csv`) into `picture`, a PNG."""
    rows = _read(table)
    steps = [float(row["step"]) for row in rows]
    figure = new_figure(8, 4.5, dpi=110)
    axes = figure.add_subplot()
    for key in rows[0]:
        if key not in ("step", "minutes", "loss", "lr", "waiting"):
            bold = key == "mean"
            values = [float(row[key] or "nan") for row in rows]
            axes.plot(steps, values, label=key, color="black" if bold else None, linewidth=2.2 if bold else 1.2)
    axes.set(xlabel="step", ylabel="SDR on validation songs, dB (median)")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(loc="lower right")
    losses = axes.twinx()
    losses.plot(steps, [float(row["loss"]) for row in rows], color="grey", linestyle=":", linewidth=1)
    losses.set_ylabel("training loss (dotted)")
    save_figure(figure, picture)
