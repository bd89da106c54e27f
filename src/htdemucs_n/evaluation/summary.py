"""Medians and means of the scores of many songs, as a table, JSON and CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htdemucs_n.evaluation.run import Evaluation
from htdemucs_n.evaluation.score import better
from htdemucs_n.files import write_whole
from htdemucs_n.tables import number_table

if TYPE_CHECKING:
    from rich.table import Table

Summary = dict[str, dict[str, dict[str, dict[str, float]]]]
"""By metric, estimate and stem: the `median` and the `mean` over songs in dB, and the number of `songs`.

The stem "all" is the mean over the stems of each; its number of songs is the smallest.
"""


def summarise(evaluation: Evaluation) -> Summary:
    """Medians and means over songs. A song in which a stem has no score does not count for it."""
    values: dict[str, dict[str, dict[str, list[float]]]] = {}
    for song in evaluation.songs.values():
        for estimate, metrics in song.scores.items():
            for metric, stems in metrics.items():
                for stem, value in stems.items():
                    values.setdefault(metric, {}).setdefault(estimate, {}).setdefault(stem, []).append(value)
    summary: Summary = {}
    for metric, estimates in values.items():
        for estimate, by_stem in estimates.items():
            row = {
                stem: {
                    "median": statistics.median(scores),
                    "mean": statistics.fmean(scores),
                    "songs": float(len(scores)),
                }
                for stem, scores in by_stem.items()
            }
            row["all"] = {
                "median": statistics.fmean(cell["median"] for cell in row.values()),
                "mean": statistics.fmean(cell["mean"] for cell in row.values()),
                "songs": min(cell["songs"] for cell in row.values()),
            }
            summary.setdefault(metric, {})[estimate] = row
    return summary


def tables(summary: Summary, stems: Sequence[str]) -> list[Table]:
    """One table per metric, medians over songs: estimates by `stems`, and the mean where all stems have a median."""
    made = []
    for metric, estimates in summary.items():
        table = number_table(f"{metric}, dB, median over songs ({better(metric)})", "estimate", *stems, "mean")
        for estimate, row in estimates.items():
            cells = [f"{row[stem]['median']:.2f}" if stem in row else "-" for stem in stems]
            complete = all(stem in row for stem in stems)
            table.add_row(estimate, *cells, f"{row['all']['median']:.2f}" if complete else "-")
        made.append(table)
    return made


def write_scores(evaluation: Evaluation, summary: Summary, about: Mapping[str, Any], folder: Path) -> None:
    """Write `scores.json` (all of it) and `scores.csv` (a row for each song, estimate and stem). Raises `UserError`."""
    content = {
        **about,
        "estimate": evaluation.name,
        "notes": evaluation.comparison.notes,
        "failures": evaluation.failures,
        "summary": summary,
        "songs": {name: dataclasses.asdict(song) for name, song in evaluation.songs.items()},
    }
    write_whole(folder / "scores.json", json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    metrics = list(summary)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["song", "estimate", "stem", *metrics])
    for name, song in evaluation.songs.items():
        for estimate, scores in song.scores.items():
            for stem in dict.fromkeys(stem for stems in scores.values() for stem in stems):
                cells = [scores.get(metric, {}).get(stem) for metric in metrics]
                writer.writerow([name, estimate, stem, *("" if cell is None else f"{cell:.6f}" for cell in cells)])
    write_whole(folder / "scores.csv", text.getvalue())
