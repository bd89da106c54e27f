"""Score a model on held-out songs, through the same code that `htdemucs-n separate` runs.

    python benchmarks/quality.py SONGS [--model NAME] [--precision bf16] [--engines] [--bss] [--json FILE]

SONGS is a folder of `song/{drums,bass,other,vocals}.*`. The mixture is the sum of the stems. The score of a stem is the
median over songs of the global SDR in dB; songs in which the stem is silent do not count. `--bss` adds the metric that
papers publish, the SDR of BSS Eval v4 (`museval`), as the median over frames of a second and then over songs. For
comparison, the mixture is scored as the estimate of every stem. Silence has a global SDR of 0 dB by definition.
`--engines` adds the global SDR of each engine in the precision that it takes by itself.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch
from torch import Tensor

from htdemucs_n.engines.choose import ENGINES
from htdemucs_n.evaluation.bss_eval import bss_eval, require_museval
from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.models.names import DEFAULT_MODEL
from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import describe_machine
from htdemucs_n.separation import Separator
from htdemucs_n.training.bank import load_songs

Scores = dict[str, dict[str, list[float]]]
"""Scores of all songs in dB, by estimate (`model`, `mixture`) and stem."""

NAMES = {"median_sdr_db": "global SDR", "median_bss_sdr_db": "BSS Eval v4 SDR"}


def score(folder: Path, separator: Separator, bss: bool) -> dict[str, Scores]:
    """The scores of all songs by metric, a key of `NAMES`."""
    rate, sources = separator.engine.samplerate, separator.sources
    scores: dict[str, Scores] = {
        metric: {kind: {source: [] for source in sources} for kind in ("model", "mixture")}
        for metric in list(NAMES)[: 1 + bss]
    }
    for song in load_songs([folder], sources, rate, workers=2):
        mixture, tracks = song.mixture_and_stems()
        stems = dict(zip(sources, tracks, strict=True))
        for kind, estimates in {
            "model": separator.separate(mixture, rate),
            "mixture": dict.fromkeys(sources, mixture),
        }.items():
            for source, stem in stems.items():
                if stem.any():
                    scores["median_sdr_db"][kind][source].append(global_sdr(stem, estimates[source]).item())
            if bss:
                for source, value in _bss_sdr(stems, estimates, rate).items():
                    scores["median_bss_sdr_db"][kind][source].append(value)
    return scores


def engine_scores(folder: Path, model: str) -> dict[str, dict[str, float]]:
    """The median global SDR of each stem and their mean in dB, by engine and precision."""
    rows = {}
    for name in ENGINES:
        separator = Separator(model, engine=name, device="cpu")
        engine = f"{name}, {separator.engine.precision}"
        rows[engine] = summary(score(folder, separator, bss=False)["median_sdr_db"])["model"]
    return rows


def _bss_sdr(stems: dict[str, Tensor], estimates: dict[str, Tensor], rate: int) -> dict[str, float]:
    """SDR of BSS Eval v4 by stem, of stems and estimates `(C, T)`; stems without a score are left out."""
    truth, guess = ({name: track.numpy() for name, track in tracks.items()} for tracks in (stems, estimates))
    return {stem: values["sdr"] for stem, values in bss_eval(truth, guess, rate)[0].items()}


def summary(scores: Scores) -> dict[str, dict[str, float]]:
    """The median over songs of each stem, and the mean of the medians, in dB."""
    table = {}
    for kind, stems in scores.items():
        medians = {source: statistics.median(values) for source, values in stems.items() if values}
        table[kind] = medians | {"mean": statistics.fmean(medians.values())}
    return table


def main() -> None:
    """Print the tables; write them as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--precision", default="fp32", help="fp32, bf16, fp16, auto (fp32)")
    parser.add_argument("--engines", action="store_true", help="every engine in its own precision too")
    parser.add_argument("--bss", action="store_true", help="BSS Eval v4 too (extra `evaluate`)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.bss:
        require_museval()

    scores = score(
        arguments.songs, Separator(arguments.model, device="cpu", precision=arguments.precision), arguments.bss
    )
    tables = {metric: summary(values) for metric, values in scores.items()}
    songs = max(len(values) for values in scores["median_sdr_db"]["model"].values())
    about = describe_machine(torch.get_num_threads())
    for metric, table in tables.items():
        print(f"Median {NAMES[metric]} over {songs} songs, dB ({arguments.precision}, {about['date']})")
        columns = list(table["model"])
        print("estimate".ljust(20) + "".join(column.rjust(9) for column in columns))
        for kind, row in table.items():
            name = arguments.model if kind == "model" else "mixture"
            print(name.ljust(20) + "".join(f"{row[column]:9.2f}" for column in columns))
    facts: dict[str, object] = {
        "model": Path(arguments.model).name,
        "precision": arguments.precision,
        "songs": songs,
    }
    if arguments.engines:
        facts["engines"] = engines = engine_scores(arguments.songs, arguments.model)
        for engine, row in engines.items():
            print(engine.ljust(20) + "".join(f"{value:9.3f}" for value in row.values()))
    if arguments.json:
        write_record(arguments.json, about | facts | tables)


if __name__ == "__main__":
    main()
