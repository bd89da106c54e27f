"""What each idea brings: a small model is trained for equal times with each idea switched off in turn.

    python benchmarks/ideas.py --train SONGS [SONGS ...] --valid OTHER_SONGS [--minutes 8] [--seeds 1 2] [--jobs 2]

Every run starts from random weights. Its learning rate schedule has as many steps as fit into the minutes. Scores are
medians of the global SDR in dB over the songs of `--valid`, which are left out of the training set. With `--jobs 2` two
runs share the machine, and each has one thread.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from htdemucs_n.memory import keep_freed_memory
from htdemucs_n.models.architectures import build_network
from htdemucs_n.models.presets import load_preset
from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import describe_machine
from train_step import seconds_a_step

WHOLE: dict[str, Any] = {"n_ffts": [512, 1024, 2048, 4096], "resunet_se_reduction": 16}
"""What makes of `small`, which has one STFT, the whole design."""

IDEAS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "one STFT (4096) in place of four": {"n_ffts": [4096]},
    "plain U-Net: no squeeze-excitation, no gates": {"resunet_use_se": False, "resunet_use_attention": False},
    "softmax attention in place of linear": {"attention": "softmax"},
    "fusion by addition in place of learned": {"fusion_method": "add"},
    "stems written in time only": {"spectral_head": "none"},
}
"""What is switched off, and the config keys that do it. The last is the design document's form of the output."""

_SCORES = ("drums", "bass", "other", "vocals", "mean")


def main() -> None:
    """Train, print the table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", nargs="+", required=True)
    parser.add_argument("--weights", nargs="*", type=float, default=[])
    parser.add_argument("--valid", required=True)
    parser.add_argument("--vocals", nargs="*", default=[], help="folders of single voices for remixes")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    threads = max(1, torch.get_num_threads() // arguments.jobs)
    torch.set_num_threads(threads)
    keep_freed_memory()
    configs = {idea: WHOLE | keys for idea, keys in IDEAS.items()}
    costs = {idea: _cost(keys) for idea, keys in track(configs.items(), "timing", console=Console(stderr=True))}
    # One seed after the other, so that a script that is ended early has complete seeds.
    jobs = list(product(arguments.seeds, IDEAS))

    def run(job: tuple[int, str]) -> dict[str, Any]:
        seed, idea = job
        # Loading and validation are not counted, and a step takes longer beside another run than alone.
        steps = max(1, round(60 * arguments.minutes / costs[idea]["seconds_a_step"]))
        return {"idea": idea, "seed": seed, "steps": steps, **_train(configs[idea], seed, steps, threads, arguments)}

    about = describe_machine(threads) | {"minutes": arguments.minutes}
    rows = [{"idea": idea, **cost} for idea, cost in costs.items()]
    runs: list[dict[str, Any]] = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for done in track(pool.map(run, jobs), "training", total=len(jobs), console=Console(stderr=True)):
            runs.append(done)
            if arguments.json:
                write_record(arguments.json, about, costs=rows, runs=runs)
    columns, lines = table({"costs": rows, "runs": runs})
    shown = Table(*columns, title=f"{arguments.minutes:g} minutes from random weights: median global SDR, dB")
    for line in lines:
        shown.add_row(*line)
    Console(width=160).print(shown)


def _cost(keys: dict[str, Any]) -> dict[str, float]:
    """Parameters, seconds of a training step (4 crops of 3 s, bfloat16) and of separating one segment (float32)."""
    model = build_network(dataclasses.replace(load_preset("small"), **keys)).eval()
    segment = torch.randn(1, 2, round(model.segment * model.samplerate))
    times = []
    with torch.inference_mode():
        for _ in range(7):
            start = time.perf_counter()
            model(segment)
            times.append(time.perf_counter() - start)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds_a_step": seconds_a_step(["preset=small", *_overrides(keys)]),
        "seconds_a_segment": statistics.median(times[2:]),
    }


def _train(
    keys: dict[str, Any], seed: int, steps: int, threads: int, arguments: argparse.Namespace
) -> dict[str, float]:
    """Train by the command line, as a user would; returns minutes and the scores after the last step."""
    with tempfile.TemporaryDirectory() as out:
        overrides = {
            "preset": "small",
            "dset.train": _listed(arguments.train),
            "dset.weights": _listed(arguments.weights),
            "dset.valid": _listed([arguments.valid]),
            "dset.extra.vocals": _listed(arguments.vocals),
            "solver.epochs": 1,
            "solver.epoch_steps": steps,
            "solver.warmup_steps": 30,
            "solver.decay": 0.5,
            "solver.ema": 0.98,
            "misc.seed": seed,
            "misc.preflight": "false",
            "misc.out": out,
        }
        words = [f"{key}={value}" for key, value in overrides.items()] + _overrides(keys)
        command = [sys.executable, "-c", _WITH_THREADS.format(threads=threads), "train", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(words)} failed:\n{done.stderr}")
        with (Path(out) / "curve.csv").open(newline="", encoding="utf-8") as file:
            row = list(csv.DictReader(file))[-1]
    return {key: float(row[key]) for key in ("minutes", *_SCORES)}


_WITH_THREADS = """
import torch
torch.set_num_threads({threads})
from htdemucs_n.cli.main import main
main()
"""


def _overrides(keys: dict[str, Any]) -> list[str]:
    return [f"htdemucs_n.{key}={_listed(v) if isinstance(v, list) else v}" for key, v in keys.items()]


def _listed(values: Sequence[Any]) -> str:
    return f"[{','.join(map(str, values))}]"


def table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The columns, and a row for each idea that was switched off, with the cost and the scores of the model."""
    rows = []
    for cost in record["costs"]:
        mine = [run for run in record["runs"] if run["idea"] == cost["idea"]]
        if not mine:  # the script was ended before this run
            continue
        spent = (
            f"{cost['parameters'] / 1e6:.1f} M",
            f"{cost['seconds_a_step']:.2f}",
            f"{cost['seconds_a_segment']:.2f}",
        )
        counts = [run["steps"] for run in mine]
        steps = " to ".join(map(str, sorted({min(counts), max(counts)})))
        scores = [_spread([run[score] for run in mine]) for score in _SCORES]
        rows.append([cost["idea"], *spent, steps, *scores])
    return ["switched off", "parameters", "step, s", "segment, s", "steps", *_SCORES], rows


def _spread(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.fmean(values):.2f} +- {(max(values) - min(values)) / 2:.2f}"


if __name__ == "__main__":
    main()
