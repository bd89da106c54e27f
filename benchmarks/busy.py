"""Time of the whole command on an idle machine, and beside another process that uses the processor.

    python benchmarks/busy.py [--engine onnx] [--seconds 30] [--repeats 5] --json benchmarks/results/busy.json

The other process is a busy loop on one core, or a matrix product on every core. The command runs with its own setting,
in which threads that wait for each other sleep (`sleep`). The engine torch also runs with the default of GNU's OpenMP
(`spin`); the threads of the other engines always sleep. All combinations are run in turn, `--repeats` times, so that a
change in the speed of the machine affects all of them. Their medians are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from commands import noise_file, run_command
from htdemucs_n.engines.choose import ENGINES
from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import describe_machine

LOADS = {
    "idle": None,
    "loop": "while True: pass",
    "matrix": "import numpy as np\na = np.ones((2000, 2000), np.float32)\nwhile True: a @ a",
}
"""Programs that run beside the command."""

WAITING = {"sleep": {}, "spin": {"GOMP_SPINCOUNT": "300000"}}
"""Environments of the command. The second is of the engine torch alone."""

HIGHEST_RATIO = 1.5
"""Time beside the busy loop over the idle time that the command must not exceed."""


@dataclass(frozen=True)
class Row:
    """A way of waiting beside a load: the median of the seconds, all of them, and the median over the idle one."""

    waiting: str
    load: str
    seconds: float
    all_seconds: list[float]
    times_idle: float


def main() -> None:
    """Measure, print a table, and exit with status 1 if the command is too slow beside the busy loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, default="onnx", help="what runs the model (onnx)")
    parser.add_argument("--seconds", type=float, default=30.0, help="seconds of song (30)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each combination (5)")
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=list(LOADS), help="idle comes first (all)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (every core)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    options = parser.parse_args()

    ways = WAITING if options.engine == "torch" else ("sleep",)
    pairs = [(waiting, load) for load in options.loads for waiting in ways]
    seconds: dict[tuple[str, str], list[float]] = {pair: [] for pair in pairs}
    with tempfile.TemporaryDirectory() as folder:
        song = noise_file(Path(folder) / "song.wav", options.seconds)
        arguments = ["separate", str(song), "-o", str(Path(folder) / "stems"), "-d", "cpu", "--force"]
        arguments += ["--engine", options.engine, "--threads", str(options.threads)]
        for _ in range(options.repeats):
            for waiting, load in pairs:
                with _running(LOADS[load]):
                    run = run_command("htdemucs-n", arguments, options.threads, WAITING[waiting])
                seconds[waiting, load].append(run.seconds)
                print(f"{waiting}, {load}: {run.seconds:.1f} s", file=sys.stderr, flush=True)
    rows = _rows(seconds)
    print("\n".join(table(rows)))
    if options.json:
        conditions = describe_machine(options.threads)
        conditions |= {"engine": options.engine, "seconds": options.seconds, "repeats": options.repeats}
        write_record(options.json, conditions, results=rows)
    if any(row.times_idle > HIGHEST_RATIO for row in rows if (row.waiting, row.load) == ("sleep", "loop")):
        sys.exit(f"the command takes more than {HIGHEST_RATIO} times its idle time beside a busy loop")


def table(rows: list[Row]) -> list[str]:
    """The results in Markdown."""
    lines = ["| waiting threads | beside | time, s | times idle |", "|---|---|---:|---:|"]
    return lines + [f"| {row.waiting} | {row.load} | {row.seconds:.1f} | {row.times_idle:.2f} |" for row in rows]


def _rows(seconds: dict[tuple[str, str], list[float]]) -> list[Row]:
    medians = {pair: statistics.median(runs) for pair, runs in seconds.items()}
    return [
        Row(waiting, load, medians[waiting, load], runs, medians[waiting, load] / medians[waiting, "idle"])
        for (waiting, load), runs in seconds.items()
    ]


@contextmanager
def _running(program: str | None) -> Iterator[None]:
    """Keep a Python program running beside the block."""
    if program is None:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
