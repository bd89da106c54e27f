"""docs/benchmarks.md is what its generator writes for the committed results; a missing result gives a line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from drum_kit_table import drum_kit_table
from published import PUBLISHED
from report import COMMANDS, ROOT, page

RESULTS = ROOT / "benchmarks" / "results"


def test_the_page_is_what_the_generator_writes() -> None:
    written = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert written == page(RESULTS, ROOT / "docs"), "run: python benchmarks/report.py"


def test_without_results_every_section_names_the_command_that_makes_it(tmp_path: Path) -> None:
    text = page(tmp_path, tmp_path)
    for name, command in COMMANDS.items():
        assert f"Not measured yet: `{command} --json benchmarks/results/{name}.json`" in text
    assert "| 43.33 M | not measured yet: `python benchmarks/complexity.py` |" in text
    assert "](attention-scaling.png)" not in text


def write(folder: Path, name: str, **content: Any) -> None:
    about = {"command": f"python {name}.py", "date": "2026-01-02", "cpu": "Some CPU", "cores": 2, "threads": 2}
    (folder / f"{name}.json").write_text(json.dumps({**about, "torch": "2.0", **content}), encoding="utf-8")


def test_figures_stand_beside_the_targets(tmp_path: Path) -> None:
    counts = {"parameters": {"transformer": 15_000_000, "band split": 1_000}, "flops": {"transformer": 2_000_000_000}}
    write(tmp_path, "complexity", segment=7.8, results=[{"model": "default", "fft_flops": 5e8, **counts}])
    rows = [
        {"model": model, "length": length, "seconds": seconds, "all_seconds": [seconds], "peak_rss_mib": mib,
         "gpu_mib": None}
        for model, length, seconds, mib in [
            ("default", 180.0, 20.0, 500.0), ("official", 180.0, 50.0, 1000.0), ("default", 600.0, 61.0, 510.0),
        ]
    ]  # fmt: skip
    write(tmp_path, "speed", segment=7.8, overlap=0.25, device="cpu", results=rows)
    layer = {"dim": 512, "heads": 8, "dim_head": 64, "precision": "fp32", "device": "cpu"}
    attention = [
        {"attention": "linear", "tokens": 16_000, "seconds": 0.25, "mib": 120.0, "note": ""},
        {"attention": "softmax", "tokens": 16_000, "seconds": None, "mib": None, "note": "needs 15 GiB"},
    ]
    write(tmp_path, "attention_scaling", **layer, attention=attention)
    (tmp_path / "attention-scaling.png").touch()
    text = page(tmp_path, tmp_path)
    for line in (
        "| parameters of `default` | 43.33 M | 15.00 M |",
        "| speed of `default` relative to the official model, 180 s | 1.46 | 2.50 |",
        "| memory of `default` relative to the official model, 180 s | 0.86 | 0.50 |",
        "| 600 s with `default` | 15.8 s (HTDemucs runs out of memory) | 61.0 s, 510 MiB |",
        "| a sequence of 16,000 tokens | fits | 250 ms and 120 MiB for a layer |",
        "| transformer | 15,000,000 | 15.2 M | -1.3 % | 2.00 |",
        "| 16,000 | 250 ms, 120 MiB | needs 15 GiB |",
    ):
        assert line in text
    assert "*Some CPU, 2 cores, threads: 2, torch 2.0, 2026-01-02: `python complexity.py`, [result]" in text
    assert "](attention-scaling.png)" in text
    assert "Speed and memory on longer songs" not in text  # they are in the one table


def test_ideas_have_a_row_each_with_the_spread_over_seeds(tmp_path: Path) -> None:
    cost = {"parameters": 14_100_000, "seconds_a_step": 1.0, "seconds_a_segment": 0.4}
    same = {"steps": 300, "drums": 1.0, "bass": 2.0, "other": 3.0, "vocals": 4.0}
    runs = [{"idea": "nothing", "seed": seed, "mean": mean, **same} for seed, mean in ((1, 2.0), (2, 2.5))]
    write(
        tmp_path, "ideas", minutes=5.0, costs=[{"idea": name, **cost} for name in ("nothing", "not run yet")], runs=runs
    )
    text = page(tmp_path, tmp_path)
    row = "1.00 +- 0.00 | 2.00 +- 0.00 | 3.00 +- 0.00 | 4.00 +- 0.00 | 2.25 +- 0.25 |"
    assert f"| nothing | 14.1 M | 1.00 | 0.40 | 300 | {row}" in text
    assert "2 seeds" in text
    assert "not run yet" not in text


def test_results_of_the_drum_kit_may_have_no_velocities() -> None:
    row: dict[str, Any] = {"drums": "alone", "part": "kick", "clips": 3, "sdr": 9.0, "leak": None, "hits": 12}
    older, newer = drum_kit_table([row | {"onset": 0.5}, row | {"onset": 0.5, "velocity": 0.25}])[2:]
    assert older == "| alone | kick | 3 | 9.0 | - | 12 | 0.50 | - |"
    assert newer == "| alone | kick | 3 | 9.0 | - | 12 | 0.50 | 0.25 |"


def test_hits_are_loud_where_their_velocities_fit() -> None:
    drum_kit = pytest.importorskip("drum_kit")
    true = np.arange(5.0), np.array([20.0, 40, 60, 80, 100])
    found = true[0] + 0.01, np.array([30.0, 40, 50, 60, 70])  # on another scale, which counts as right
    assert drum_kit.hit_counts(true, found) == {"true": 5, "found": 5, "right": 5, "loud": 5}
    found[1][:] = [30, 70, 50, 70, 30]
    counts = drum_kit.hit_counts(true, found)
    assert counts["right"] == 5 and counts["loud"] == 1  # fitted to the mean, the one in the middle
    late = true[0] + 0.06, true[1]
    assert drum_kit.hit_counts(true, late) == {"true": 5, "found": 5, "right": 0, "loud": 0}
    none = np.zeros(0), np.zeros(0)
    assert drum_kit.hit_counts(true, none) == {"true": 5, "found": 0, "right": 0, "loud": 0}


def test_published_figures_add_up_and_have_their_source() -> None:
    for row in PUBLISHED:
        assert "https://" in row.source
        if row.stems:
            assert float(row.overall) == pytest.approx(sum(row.stems) / 4, abs=0.011)


def test_every_new_result_has_its_machine_and_command() -> None:
    for file in RESULTS.glob("*.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        if "command" in record:  # older results have less
            assert {"date", "cpu", "cores", "threads", "python", "torch", "htdemucs-n"} <= set(record), file.name
            assert "/home/" not in record["command"] and "/work/" not in record["command"]


def test_every_result_has_a_make_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"$(RESULTS)/{name}.json" in text
