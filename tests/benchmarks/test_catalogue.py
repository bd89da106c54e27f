"""The simulation of workers against closed forms, and the memory of the driver read on a small ledger."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("fsspec")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from catalogue import SIMULATED, Row, fill_ledger, overhead_of_ray, simulate


def test_a_driver_without_costs_does_not_slow_workers_down() -> None:
    for row in simulate([2.0], start=0.0, handling=0.0, songs=5120):
        assert row.songs_an_hour == pytest.approx(1800 * row.workers)
        assert row.efficiency == pytest.approx(1.0)


def test_a_slow_driver_is_the_limit_of_many_workers() -> None:
    for row in simulate([2.0], start=0.0, handling=0.1, songs=20_000):
        limit = min(row.workers / 2.1, 1 / 0.1)  # each worker has a song every 2.1 s, the driver one every 0.1 s
        assert row.songs_an_hour == pytest.approx(3600 * limit, rel=0.03)


def test_the_start_counts_once() -> None:
    one, *_ = simulate([1.0], start=10.0, handling=0.0, songs=90)
    assert one.workers == SIMULATED[0] == 1 and one.songs_an_hour == pytest.approx(3600 * 90 / 100)


def test_the_ledger_is_filled_and_read(tmp_path: Path) -> None:
    memory, handling, peak = fill_ledger(tmp_path, 50)
    assert [row.rows for row in memory] == list(range(5, 51, 5))
    assert handling > 0 and peak >= max(row.mib for row in memory) > 0
    assert len(list((tmp_path / "ledger" / "_catalogue" / "done").rglob("*.json"))) == 50


def test_the_overhead_is_of_one_worker() -> None:
    rows = [Row("1 process", 1, 2.0, 0.0, []), Row("1 worker of Ray", 1, 2.1, 0.0, []), Row("2 processes", 2, 1, 0, [])]
    assert overhead_of_ray(rows) == pytest.approx(0.05)
