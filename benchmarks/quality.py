"""Score a model on held-out songs, through the same code that `htdemucs-n separate` runs.

    python benchmarks/quality.py SONGS [--model NAME] [--precision bf16] [--json FILE]

SONGS is a folder of `song/{drums,bass,other,vocals}.*`. The mixture is the sum of the stems. The score of a stem is the
median over songs of the global SDR, dB; songs in which it is silent do not count. Beside the model stand two baselines:
the mixture as every stem's estimate, and silence (0 dB by definition).
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from datetime import date
from pathlib import Path
from typing import Any

import torch

from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.models.registry import DEFAULT_MODEL
from htdemucs_n.separation import Separator
from htdemucs_n.training.bank import load_songs


def score(folder: Path, model: str, precision: str) -> dict[str, dict[str, list[float]]]:
    """SDR in dB of every song, by estimate (`model`, `mixture`) and stem."""
    separator = Separator(model, device="cpu", precision=precision)
    rate = separator.model.samplerate
    scores: dict[str, dict[str, list[float]]] = {
        kind: {source: [] for source in separator.sources} for kind in ("model", "mixture")
    }
    for song in load_songs([folder], separator.sources, rate, workers=2):
        mixture, stems = song.mixture_and_stems()
        estimates = separator.separate(mixture, rate)
        for index, source in enumerate(separator.sources):
            if stems[index].any():
                scores["model"][source].append(global_sdr(stems[index], estimates[source]).item())
                scores["mixture"][source].append(global_sdr(stems[index], mixture).item())
    return scores


def summary(scores: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Medians over songs a stem, and their mean, dB."""
    table = {}
    for kind, stems in scores.items():
        medians = {source: statistics.median(values) for source, values in stems.items() if values}
        table[kind] = medians | {"mean": statistics.fmean(medians.values())}
    return table


def main() -> None:
    """Print the table; write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--precision", default="fp32", help="fp32, bf16, fp16, auto (fp32)")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    scores = score(arguments.songs, arguments.model, arguments.precision)
    table = summary(scores)
    songs = max(len(values) for values in scores["model"].values())
    about = f"{platform.machine()}, {arguments.precision}, torch {torch.__version__}, {date.today().isoformat()}"
    print(f"Median global SDR over {songs} songs, dB ({about})")
    columns = list(table["model"])
    print("estimate".ljust(20) + "".join(column.rjust(9) for column in columns))
    for kind, row in table.items():
        name = arguments.model if kind == "model" else "mixture"
        print(name.ljust(20) + "".join(f"{row[column]:9.2f}" for column in columns))
    if arguments.json:
        result: dict[str, Any] = {"model": arguments.model, "songs": songs, "about": about, "median_sdr_db": table}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
