"""What the catalogue itself costs: scaling, Ray beside plain processes, the start of a worker, memory of the driver.

    python benchmarks/catalogue.py [--songs 6] [--seconds 10] [--repeats 5] [--rows 100000] --json FILE

One worker and two workers in processes, and one worker of a Ray of one core on this machine, separate the same songs
with the shipped model and one thread each, in turn, `--repeats` times. The time of a song is the time between two
finished songs while all workers have one, so that it holds reading, writing and the ledger, and not the start. More
workers than two are simulated: each song takes one of the times that were measured with one worker, and the driver
handles one song after the other, in the time that it took with workers that separate nothing. The same workers fill a
ledger of `--rows` songs, and the memory of the driver is read on the way.
"""

from __future__ import annotations

import argparse
import heapq
import multiprocessing
import random
import statistics
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import noise_file
from htdemucs_n.catalogue.claims import Claims
from htdemucs_n.catalogue.ledger import Ledger, Record
from htdemucs_n.catalogue.processes import Processes
from htdemucs_n.catalogue.run import Workers, run_catalogue
from htdemucs_n.catalogue.songs import Song
from htdemucs_n.catalogue.store import Store
from htdemucs_n.catalogue.worker import Event, Work
from htdemucs_n.memory import peak_rss_mib, rss_mib
from htdemucs_n.models.names import DEFAULT_MODEL
from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import describe_machine

WAYS = {"1 process": 1, "1 worker of Ray": 1, "2 processes": 2}
"""Ways of working, and their workers."""

SIMULATED = (1, 2, 8, 32, 128, 512)
"""Numbers of workers."""

HIGHEST_OVERHEAD = 0.05
"""Time of a song with Ray over the time with plain processes, less one, that must not be exceeded."""


@dataclass(frozen=True)
class Row:
    """A way of working: medians of the seconds between two songs and of the start of a worker, and all of the first."""

    way: str
    workers: int
    seconds_a_song: float
    start: float
    all_seconds: list[float]


@dataclass(frozen=True)
class Simulated:
    """Songs in an hour of so many workers, and those of one worker times their number that they reach."""

    workers: int
    songs_an_hour: float
    efficiency: float


@dataclass(frozen=True)
class Memory:
    """Of the driver, MiB, after so many rows of the ledger."""

    rows: int
    mib: float


def main() -> None:
    """Measure, print the tables, and exit with status 1 if Ray costs more than 5 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=6, help="songs of each run, at least four (6)")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of each song (10)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each way (5)")
    parser.add_argument("--rows", type=int, default=100_000, help="songs of the ledger (100,000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    options = parser.parse_args()

    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    starts: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "songs").mkdir()
        for number in range(options.songs):
            noise_file(folder / "songs" / f"{number}.wav", options.seconds)
        for repeat in range(options.repeats):
            for way in WAYS:
                song, start = measure(way, folder / "songs", folder / f"{repeat} {way}")
                seconds[way].append(song)
                starts[way].append(start)
                print(f"{way}: {song:.2f} s for each song, start {start:.1f} s", file=sys.stderr, flush=True)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            memory, handling, again = fresh.submit(fill_ledger, folder, options.rows).result()
    rows = [Row(w, n, statistics.median(seconds[w]), statistics.median(starts[w]), seconds[w]) for w, n in WAYS.items()]
    simulated = simulate(seconds["1 process"], rows[0].start, handling)
    conditions = describe_machine(1) | {"engine": "onnx", "songs": options.songs, "seconds": options.seconds}
    conditions |= {"repeats": options.repeats, "driver_seconds_a_song": handling, "second_run_peak_mib": again}
    print("\n".join(table(rows, simulated, memory)))
    if options.json:
        write_record(options.json, conditions, results=rows, simulated=simulated, memory=memory)
    if (overhead := overhead_of_ray(rows)) > HIGHEST_OVERHEAD:
        sys.exit(f"Ray costs {100 * overhead:.1f} %, which is more than {100 * HIGHEST_OVERHEAD:g} %")


def measure(way: str, source: Path, dest: Path) -> tuple[float, float]:
    """Seconds between two songs while all workers have one, and seconds until the first worker began."""
    ended: list[tuple[float, Record]] = []
    separator = {"model": [DEFAULT_MODEL], "engine": "onnx", "device": "cpu", "threads": 1}
    work = Work(str(dest), separator)
    with _workers(way, work) as workers:
        start = time.perf_counter()
        run_catalogue(str(source), str(dest), workers, lambda record: ended.append((time.perf_counter(), record)))
    if any(record.state != "separated" for _, record in ended):
        sys.exit(f"{way}: {ended[0][1].error}")
    count = WAYS[way]
    between = (ended[-1][0] - ended[count - 1][0]) / (len(ended) - count)
    first, record = ended[0]
    return between, first - start - record.seconds / record.speed


@contextmanager
def _workers(way: str, work: Work) -> Iterator[Workers]:
    if "Ray" not in way:
        yield Processes(work, WAYS[way])
        return
    import ray

    from htdemucs_n.catalogue.ray_workers import RayWorkers

    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        yield RayWorkers(work, "auto")
    finally:
        ray.shutdown()


class NoSeparation:
    """Workers in the process of the driver that enter each song and separate nothing; `memory` is read on the way."""

    def __init__(self, dest: str, every: int) -> None:
        self._ledger, self._claims, self._every = Ledger(Store(dest)), Claims(Store(dest)), every
        self.memory: list[Memory] = []

    def run(self, songs: Iterator[Song]) -> Iterator[Event]:
        """The record of each song."""
        for number, song in enumerate(songs, 1):
            record = Record(song.key, song.url, "1", "separated", seconds=1.0, speed=1.0, finished=time.time())
            self._ledger.commit(record)
            yield song, record
            if number % self._every == 0:
                self.memory.append(Memory(number, rss_mib() or 0.0))


def fill_ledger(folder: Path, rows: int) -> tuple[list[Memory], float, float]:
    """The memory of the driver after each tenth of `rows` songs, its seconds for a song, and the peak of a second run.

    The second run reads the names of all records before its first song. This process does nothing else.
    """
    source, dest = folder / "songs.csv", str(folder / "ledger")
    source.write_text("url\n" + "".join(f"{number // 1000}/{number}.mp3\n" for number in range(rows)))
    workers = NoSeparation(dest, max(1, rows // 10))
    start = time.perf_counter()
    ended = [start]

    def note(_: Record) -> None:
        ended[0] = time.perf_counter()

    run_catalogue(str(source), dest, workers, note)
    handling = (ended[0] - start) / rows
    run_catalogue(str(source), dest, NoSeparation(dest, rows))
    return workers.memory, handling, peak_rss_mib() or 0.0


def simulate(times: Sequence[float], start: float, handling: float, songs: int = 100_000) -> list[Simulated]:
    """So many songs with each number of workers. Their times are drawn from `times`; all numbers are seconds."""
    results: list[Simulated] = []
    for workers in SIMULATED:
        draw = random.Random(0)
        free = [start] * workers
        driver = last = 0.0
        for _ in range(songs):
            driver = max(driver, heapq.heappop(free)) + handling
            ended = driver + draw.choice(times)
            heapq.heappush(free, ended)
            last = max(last, ended)
        rate = 3600 * songs / last
        results.append(Simulated(workers, rate, rate / (workers * (results[0].songs_an_hour if results else rate))))
    return results


def overhead_of_ray(rows: Sequence[Row]) -> float:
    """The time of a song with a worker of Ray over that with a process, less one."""
    times = {row.way: row.seconds_a_song for row in rows}
    return times["1 worker of Ray"] / times["1 process"] - 1


def table(rows: Sequence[Row], simulated: Sequence[Simulated], memory: Sequence[Memory]) -> list[str]:
    """The results in Markdown."""
    one = rows[0].seconds_a_song
    lines = ["| workers | seconds for each song | efficiency | start of a worker, s |", "|---|---:|---:|---:|"]
    for row in rows:
        efficiency = one / (row.workers * row.seconds_a_song)
        lines.append(f"| {row.way} | {row.seconds_a_song:.2f} | {efficiency:.2f} | {row.start:.1f} |")
    lines += ["", f"Ray costs {100 * overhead_of_ray(rows):+.1f} % of the time of a song.", ""]
    lines += ["| simulated workers | songs an hour | efficiency |", "|---:|---:|---:|"]
    lines += [f"| {row.workers} | {row.songs_an_hour:,.0f} | {row.efficiency:.2f} |" for row in simulated]
    lines += ["", "| rows of the ledger | memory of the driver, MiB |", "|---:|---:|"]
    return lines + [f"| {row.rows:,} | {row.mib:.0f} |" for row in memory]


def from_record(record: dict[str, Any]) -> list[str]:
    """The section of docs/benchmarks.md."""
    text = (
        f"Songs of {record['seconds']:g} s with one thread for each worker; medians of {record['repeats']} runs, taken "
        "in turn. More than two workers are a simulation from the measured times. The driver takes "
        f"{1e3 * record['driver_seconds_a_song']:.2f} ms for each song. A second run over a full ledger needs at most "
        f"{record['second_run_peak_mib']:.0f} MiB."
    )
    parts = {"results": Row, "simulated": Simulated, "memory": Memory}
    about = textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)
    return [*about, "", *table(*([kind(**row) for row in record[name]] for name, kind in parts.items()))]


if __name__ == "__main__":
    main()
