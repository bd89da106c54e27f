"""The numbers of a run: a table that any program reads, and a picture of it."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from htdemucs_n.errors import UserError
from htdemucs_n.training.curve import Curve

ROWS = [
    {"step": 100, "minutes": 1.5, "lr": 3e-4, "loss": 0.31234, "drums": -0.5, "vocals": 1.25, "mean": 0.375},
    {"step": 200, "minutes": 3.0, "lr": 1e-4, "loss": 0.25, "drums": 2.0, "vocals": 3.0, "mean": 2.5},
    {"step": 300, "minutes": 4.5, "lr": 2e-6, "loss": 0.2, "drums": 2.5, "vocals": 3.5, "mean": 3.0},
]


def table(folder: Path) -> list[dict[str, float]]:
    with (folder / "curve.csv").open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_rows_come_back(tmp_path: Path) -> None:
    curve = Curve(tmp_path)
    for number, row in enumerate(ROWS):
        curve.add(row)
        assert len(table(tmp_path)) == number + 1, "a row is on disk at once"
    for row, expected in zip(table(tmp_path), ROWS, strict=True):
        assert row == pytest.approx(expected, rel=1e-4)


@pytest.mark.usefixtures("without_matplotlib")
def test_without_matplotlib_a_run_does_not_begin(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'training curve needs the package matplotlib.*"htdemucs-n\[train\]"'):
        Curve(tmp_path)


def test_a_resumed_run_goes_on_with_its_table(tmp_path: Path) -> None:
    Curve(tmp_path).add(ROWS[0])
    curve = Curve(tmp_path, step=100)
    curve.add(ROWS[1])
    assert [row["step"] for row in table(tmp_path)] == [100, 200]


def test_rows_after_the_checkpoint_are_written_anew(tmp_path: Path) -> None:
    """Killed after the validation at 300, going on from the checkpoint at 250: no step stands there twice."""
    curve = Curve(tmp_path)
    for row in ROWS:
        curve.add(row)
    Curve(tmp_path, step=250).add(ROWS[2] | {"mean": 3.125})
    assert [(row["step"], row["mean"]) for row in table(tmp_path)] == [(100, 0.375), (200, 2.5), (300, 3.125)]


def test_a_table_with_fewer_columns_goes_on(tmp_path: Path) -> None:
    Curve(tmp_path).add({"step": 1, "minutes": 0.1, "lr": 1e-3, "loss": 0.5})
    Curve(tmp_path, step=1).add(ROWS[0])
    with (tmp_path / "curve.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["mean"] for row in rows] == ["", "0.375"]
    assert rows[0]["loss"] == "0.5"


def test_the_picture_shows_the_curve(tmp_path: Path) -> None:
    """Black is the mean's alone; a row more moves it."""
    curve = Curve(tmp_path)
    pictures = []
    for row in ROWS:
        curve.add(row)
        pictures.append(imread(tmp_path / "curve.png"))
    assert pictures[0].shape == pictures[2].shape
    assert min(pictures[0].shape[:2]) >= 400
    assert (np.abs(pictures[2] - pictures[1]).max(axis=-1) > 0.5).mean() > 0.002


def test_without_validation_there_is_a_loss_to_look_at(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curve = Curve(tmp_path)
        curve.add({"step": 1, "minutes": 0.1, "lr": 1e-3, "loss": 0.5})
    assert table(tmp_path) == [{"step": 1, "minutes": 0.1, "lr": 1e-3, "loss": 0.5}]
    assert (imread(tmp_path / "curve.png")[..., :3] < 0.9).any()


def test_tensorboard_events_hold_the_numbers(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curve = Curve(tmp_path)
    for row in ROWS:
        curve.add(row)
    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("mean")] == [(100, 0.375), (200, 2.5), (300, 3)]
