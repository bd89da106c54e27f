"""Time and memory of separating a song on the CPU, beside the `htdemucs` of PyPI's `demucs`.

    python -m pip install -e ".[official]"
    python benchmarks/speed.py --json benchmarks/results/speed.json

Every model runs alone in a fresh process, in float32, on the same stereo noise (the time does not depend on
what the samples are), with the same segment and overlap, after a warm-up on one segment's length:

* `shipped`: what `htdemucs-n separate` runs when no model is named.
* `default`: the preset of that name, random weights, batch norm folded, through `Separator`.
* `official`: `demucs.htdemucs.HTDemucs` with random weights through `demucs.apply.apply_model`.

The official hyperparameters are the class's defaults but for three: `bottom_channels=512`, `dconv_mode=3` (as
in the package's `grids/mmi.py`) and `segment=7.8`: 41,984,456 parameters, 84 MB in float16 as released.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE_RATE = 44_100
SEGMENT = 7.8
"""Seconds."""
OVERLAP = 0.25
MODELS = ("shipped", "default", "official")


Contender: TypeAlias = "tuple[str, Any, Callable[[Tensor], object]]"
"""Label in the table, network, and its separation of `(C, T)`."""


@dataclass(frozen=True)
class Measurement:
    """One model's row: `seconds` is the median of the repeats, `segments` the forward passes of one."""

    model: str
    parameters: int
    segments: int
    seconds: float
    all_seconds: list[float]
    peak_rss_mib: float | None


def main() -> None:
    """Measure, print the table, and write it with `--json`."""
    parser = argparse.ArgumentParser(description="Time separation on the CPU beside the official htdemucs.")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the song (default 60)")
    parser.add_argument("--repeats", type=int, default=1, help="runs a model; the median counts (default 1)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (default: every core)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, help="what to run (default all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    options = parser.parse_args()
    if "official" in options.models and importlib.util.find_spec("demucs") is None:
        sys.exit('demucs is missing: python -m pip install -e ".[official]", or leave `official` out of --models')

    rows: list[Measurement] = []
    for model in options.models:
        # A process of its own each, so that the peak memory is the model's. The parent never imports torch.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append(pool.apply(measure, (model, options.seconds, options.repeats, options.threads)))
        print(f"{model}: {rows[-1].seconds:.1f} s", file=sys.stderr)
    conditions = describe_machine(options.threads) | {
        "seconds_of_audio": options.seconds,
        "segment": SEGMENT,
        "overlap": OVERLAP,
        "repeats": options.repeats,
    }
    print_table(rows, options.seconds, conditions)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        report = conditions | {"results": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measure(model: str, seconds: float, repeats: int, threads: int) -> Measurement:
    """Time one model in this process."""
    if model != "official":
        from htdemucs_n.memory import keep_freed_memory

        keep_freed_memory()  # as `htdemucs-n separate` does
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    label, network, separate = {"shipped": shipped, "default": default, "official": official}[model]()
    mixture = 0.1 * torch.randn(2, round(seconds * SAMPLE_RATE))
    passes = 0

    def count(*_: Any) -> None:
        nonlocal passes
        passes += 1

    separate(mixture[:, : round(SEGMENT * SAMPLE_RATE)])
    network.register_forward_hook(count)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        separate(mixture)
        times.append(time.perf_counter() - start)
    return Measurement(
        model=label,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        segments=passes // repeats,
        seconds=statistics.median(times),
        all_seconds=times,
        peak_rss_mib=peak_rss_mib(),
    )


def shipped() -> Contender:
    """Return the shipped default model."""
    from htdemucs_n.models.registry import DEFAULT_MODEL, load_model

    return _through_separator(f"shipped ({DEFAULT_MODEL})", load_model())


def default() -> Contender:
    """Return the `default` preset with random weights."""
    from htdemucs_n.models.folding import prepare_for_inference
    from htdemucs_n.models.htdemucs_n import HTDemucs_n
    from htdemucs_n.models.presets import load_preset

    return _through_separator("default", prepare_for_inference(HTDemucs_n(load_preset("default"))))


def _through_separator(label: str, network: Any) -> Contender:
    from htdemucs_n.separation import Separator

    separator = Separator(network, device="cpu", segment=SEGMENT, overlap=OVERLAP)
    return label, network, lambda mixture: separator.separate(mixture, SAMPLE_RATE)


def official() -> Contender:
    """Return PyPI's `htdemucs` with random weights."""
    from demucs.apply import apply_model
    from demucs.htdemucs import HTDemucs

    sources = ["drums", "bass", "other", "vocals"]
    network = HTDemucs(sources, bottom_channels=512, dconv_mode=3, segment=SEGMENT).eval()

    def separate(mixture: Tensor) -> object:
        return apply_model(network, mixture[None], shifts=0, split=True, overlap=OVERLAP)

    return "official", network, separate


def peak_rss_mib() -> float | None:
    """Return the most memory this process has held, MiB; None on Windows, which doesn't say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak / 2**20 if sys.platform == "darwin" else peak / 2**10)


def describe_machine(threads: int) -> dict[str, Any]:
    """Return where and with what the figures were made."""
    cpu = platform.processor()
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        names = [line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    versions = {}
    for name in ("htdemucs-n", "torch", "numpy", "demucs"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "date": datetime.date.today().isoformat(),
        "system": platform.platform(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
    } | versions


def print_table(rows: list[Measurement], seconds: float, conditions: dict[str, Any]) -> None:
    """Print one row a model, and the conditions beneath."""
    from rich.console import Console
    from rich.table import Table

    reference = next((row.seconds for row in rows if row.model == "official"), None)
    table = Table(title=f"Separating {seconds:g} s of stereo on the CPU")
    for column in ("model", "M params", "segments", "seconds", "x real time", "peak MiB", "x official"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for row in rows:
        table.add_row(
            row.model,
            f"{row.parameters / 1e6:.2f}",
            str(row.segments),
            f"{row.seconds:.1f}",
            f"{seconds / row.seconds:.2f}",
            "-" if row.peak_rss_mib is None else f"{row.peak_rss_mib:.0f}",
            "-" if reference is None else f"{reference / row.seconds:.2f}",
        )
    console = Console(width=100)
    console.print(table)
    for name, value in conditions.items():
        console.print(f"{name}: {value}", highlight=False)


if __name__ == "__main__":
    main()
