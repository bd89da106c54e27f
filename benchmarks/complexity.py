"""Parameters and FLOPs of every preset, and of the official architecture where `demucs` is installed.

    python benchmarks/complexity.py [--json benchmarks/results/complexity.json]

The figures are counted for one segment of 7.8 s of stereo (see `htdemucs_n.profiling.cost`): convolutions and matrix
products by the counter of torch, FFTs by formula. They are the same on every machine.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Any

import torch

from htdemucs_n.models.presets import preset_names
from htdemucs_n.profiling.cost import count_cost
from htdemucs_n.profiling.profiled_model import OFFICIAL, ProfiledModel
from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import describe_machine

SEGMENT = 7.8
"""Seconds."""


def main() -> None:
    """Count and print the table; write it with `--json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=[*preset_names(), OFFICIAL], help="presets, official (all)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if OFFICIAL in options.models and importlib.util.find_spec("demucs") is None:
        print('demucs is missing, so its row is left out: python -m pip install -e ".[official]"')
        options.models.remove(OFFICIAL)

    results: list[dict[str, Any]] = []
    print("| model | parameters | GMACs | GFLOPs | GFLOPs of FFTs, by formula |\n|---|---:|---:|---:|---:|")
    for name in options.models:
        model = ProfiledModel(name, untrained=True).build()
        cost = count_cost(model, round(SEGMENT * model.samplerate))
        parameters, flops = sum(cost.parameters.values()), sum(cost.flops.values())
        print(f"| {name} | {parameters:,} | {flops / 2e9:.2f} | {flops / 1e9:.2f} | {cost.fft_flops / 1e9:.2f} |")
        results.append({"model": name, "parameters": cost.parameters, "flops": cost.flops, "fft_flops": cost.fft_flops})
    if options.json:
        about = describe_machine(torch.get_num_threads()) | {"segment": SEGMENT}
        write_record(options.json, about, results=results)


if __name__ == "__main__":
    main()
