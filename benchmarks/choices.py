"""Quality and time of what a user can choose: one network or two, random shifts, and the overlap of segments.

    python benchmarks/choices.py SONGS --json benchmarks/results/choices.json

SONGS is a folder of held-out songs in stems, as in `quality.py`, whose scores these are. The time is that of 60 s of
noise with the model loaded, without reading and writing files: the median of `--repeats` rounds, in each of which all
choices take their turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.models.names import DEFAULT_MODEL
from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import describe_machine
from htdemucs_n.separation import Separator
from quality import score, summary

CHOICES: dict[str, dict[str, Any]] = {
    "small": {"model": "small"},
    "bands": {"model": "bands"},
    "bands --overlap 0.25": {"model": "bands", "overlap": 0.25},
    "bands --overlap 0.5": {"model": "bands", "overlap": 0.5},
    "bands --shifts 2": {"model": "bands", "shifts": 2},
    "bands --shifts 4": {"model": "bands", "shifts": 4},
    "duo": {"model": "duo"},
    "duo --shifts 2": {"model": "duo", "shifts": 2},
}
"""The options of `htdemucs-n separate` after `-n`, and the arguments of `Separator` that they stand for."""

RATE = 44_100
SECONDS = 60


@dataclass(frozen=True)
class Row:
    """A choice: its median global SDR of each stem, the mean of these, the mean over songs and stems, and its time."""

    choice: str
    medians: dict[str, float]
    mean_over_songs: float
    seconds: float


def main() -> None:
    """Score and time every choice, print the table, and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path)
    parser.add_argument("--engine", default="onnx", help="what runs the models (onnx)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (2)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of timing; the median counts (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    options = parser.parse_args()
    run = {"engine": options.engine, "threads": options.threads}
    separators = {choice: Separator(**arguments, **run) for choice, arguments in CHOICES.items()}
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, SECONDS * RATE), dtype=np.float32)
    seconds: dict[str, list[float]] = {choice: [] for choice in separators}
    for _ in range(options.repeats):
        for choice, separator in separators.items():
            seconds[choice].append(_time(separator, noise))
    rows = [
        _row(choice, options.songs, separator, statistics.median(seconds[choice]))
        for choice, separator in separators.items()
    ]
    print("\n".join(table(rows)))
    if options.json:
        write_record(options.json, describe_machine(options.threads) | run | {"repeats": options.repeats}, results=rows)


def table(rows: list[Row]) -> list[str]:
    """The results in Markdown, with the times relative to that of the default model."""
    stems = list(rows[0].medians)
    lines = [
        f"| options after `-n` | {' | '.join(stems)} | mean over songs | time |",
        f"|---|{'---:|' * (len(stems) + 2)}",
    ]
    (default,) = (row.seconds for row in rows if row.choice == DEFAULT_MODEL)
    for row in rows:
        cells = [f"`{row.choice}`", *(f"{row.medians[stem]:.2f}" for stem in stems), f"{row.mean_over_songs:.2f}"]
        lines.append(f"| {' | '.join(cells)} | {row.seconds / default:.2f} |")
    return lines


def _time(separator: Separator, mixture: NDArray[np.float32]) -> float:
    start = time.perf_counter()
    separator.separate(mixture, RATE)
    return time.perf_counter() - start


def _row(choice: str, songs: Path, separator: Separator, seconds: float) -> Row:
    scores = score(songs, separator, bss=False)["median_sdr_db"]
    stems = [statistics.fmean(values) for values in scores["model"].values() if values]
    return Row(choice, summary(scores)["model"], statistics.fmean(stems), seconds)


if __name__ == "__main__":
    main()
