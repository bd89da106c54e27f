"""Time and memory of the whole command, from audio file to stems, beside the `demucs` command of PyPI.

    python -m pip install -e ".[official]"
    python benchmarks/speed.py [--lengths 10 30 60 180 300 600] [--device cpu] --json benchmarks/results/speed.json

Every run is a process of its own, timed from its start to its end. All runs have the same WAV file of noise, the
segment and overlap that the command has by default, and no shifts:

* `onnx`, `openvino`, `torch`: `htdemucs-n separate` with this engine, in the precision that it has by default;
  `torch-fp32` in float32, which is that of `onnx`.
* `default`, `default-bf16`: the preset `default` with random weights and the engine torch, in float32 and bfloat16.
* `official`: `demucs --shifts 0` with `demucs.htdemucs.HTDemucs` (see `htdemucs_n.profiling.profiled_model`), random
  weights in a local repository, stored in float16 like the released weights.

Beside it stands what the installation of each command takes on the disk, without weights.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import installed_size
from commands import Measured, noise_file, run_command
from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import describe_machine

LENGTHS = (10.0, 30.0, 60.0, 180.0, 300.0, 600.0)
CONTENDERS = ("onnx", "openvino", "torch", "torch-fp32", "default", "default-bf16", "official")
INSTALLATIONS = {
    "onnx": "htdemucs-n",
    "openvino": "htdemucs-n[openvino]",
    "torch": "htdemucs-n[torch]",
    "official": "demucs",
}
"""What is installed to run a contender."""


@dataclass(frozen=True)
class Row:
    """One contender on one length: the median of the repeats, and all their seconds."""

    model: str
    length: float
    seconds: float
    all_seconds: list[float]
    peak_rss_mib: float | None
    gpu_mib: float | None


def main() -> None:
    """Measure all rows, print the table, and write the results after every row with `--json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=float, nargs="+", default=LENGTHS, help="seconds of song (10 to 600)")
    parser.add_argument("--models", nargs="+", choices=CONTENDERS, default=CONTENDERS, help="what to run (all)")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each; the median counts (1)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (every core)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, after every row")
    options = parser.parse_args()
    if "official" in options.models and importlib.util.find_spec("demucs") is None:
        sys.exit('demucs is missing: python -m pip install -e ".[official]", or leave `official` out of --models')

    conditions = describe_machine(options.threads, options.device) | {
        "device": options.device,
        "repeats": options.repeats,
    }
    installed = installed_size.measure(INSTALLATIONS[model] for model in options.models if model in INSTALLATIONS)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _make_weights(work, options.models)
        for length in options.lengths:
            song = noise_file(work / f"{length:g}.wav", length)
            for model in options.models:
                runs = [_run(model, song, work, options.threads, options.device) for _ in range(options.repeats)]
                rows.append(_row(model, length, runs))
                print(f"{model}, {length:g} s: {rows[-1].seconds:.1f} s", file=sys.stderr, flush=True)
                if options.json:
                    write_record(options.json, conditions, results=rows, installed=installed)
            song.unlink()
    print("\n".join([*table(rows), "", *installed_size.table(installed)]))
    for name, value in conditions.items():
        print(f"{name}: {value}")


def table(rows: list[Row]) -> list[str]:
    """A line for each contender and length, with its ratios to the official model at that length."""
    official = {row.length: row for row in rows if row.model == "official"}
    lines = [
        "| model | song, s | time, s | times real time | peak memory, MiB | GPU, MiB "
        "| speed / official | memory / official |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        beside = official.get(row.length)
        speed = f"{beside.seconds / row.seconds:.2f}" if beside else "-"
        share = "-"
        if beside and beside.peak_rss_mib and row.peak_rss_mib:
            share = f"{100 * row.peak_rss_mib / beside.peak_rss_mib:.0f} %"
        cells = [
            row.model,
            f"{row.length:g}",
            f"{row.seconds:.1f}",
            f"{row.length / row.seconds:.1f}",
            "-" if row.peak_rss_mib is None else f"{row.peak_rss_mib:.0f}",
            "-" if row.gpu_mib is None else f"{row.gpu_mib:.0f}",
            speed,
            share,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _run(model: str, song: Path, work: Path, threads: int, device: str) -> Measured:
    common = [str(song), "-o", str(work / "stems"), "-d", device]
    if model == "official":
        return run_command("demucs", [*common, "-n", "official", "--repo", str(work), "--shifts", "0"], threads)
    name, _, precision = model.partition("-")
    chosen = ["-n", str(work / "default.safetensors")] if name == "default" else ["--engine", name]
    if precision or name == "default":
        chosen += ["--precision", precision or "fp32"]
    return run_command("htdemucs-n", ["separate", *common, *chosen, "--threads", str(threads), "--force"], threads)


def _row(model: str, length: float, runs: list[Measured]) -> Row:
    return Row(
        model,
        length,
        statistics.median(run.seconds for run in runs),
        [run.seconds for run in runs],
        max((run.peak_rss_mib for run in runs if run.peak_rss_mib is not None), default=None),
        max((run.gpu_mib for run in runs if run.gpu_mib is not None), default=None),
    )


def _make_weights(work: Path, models: list[str]) -> None:
    """Write random weights in float16 by another process, so that this one needs little memory."""
    code = {
        "default": (
            "import torch; from htdemucs_n.models.htdemucs_n import HTDemucs_n\n"
            "from htdemucs_n.models.presets import load_preset; from htdemucs_n.models.storage import save_model\n"
            f"save_model(Path({str(work / 'default.safetensors')!r}), HTDemucs_n(load_preset('default')), {{}},"
            " torch.float16)\n"
        ),
        "official": (
            "import torch; from demucs.states import get_state\n"
            "from htdemucs_n.profiling.profiled_model import official_architecture\n"
            "model = official_architecture()\n"
            "args, kwargs = model._init_args_kwargs\n"
            "package = dict(klass=type(model), args=args, kwargs=kwargs, state=get_state(model, None, half=True))\n"
            f"torch.save(package, {str(work / 'official.th')!r})\n"
        ),
    }
    for name, make in code.items():
        if any(model.startswith(name) for model in models):
            subprocess.run([sys.executable, "-c", f"from pathlib import Path\n{make}"], check=True)


if __name__ == "__main__":
    main()
