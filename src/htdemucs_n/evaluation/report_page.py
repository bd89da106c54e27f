"""The page of a report as HTML that needs no other site: how it was made, what the numbers mean, scores, excerpts."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from htdemucs_n.evaluation.run import Evaluation
from htdemucs_n.evaluation.score import BASELINES, better
from htdemucs_n.evaluation.spectral_faults import BANDS
from htdemucs_n.evaluation.summary import Summary
from htdemucs_n.tables import counted

_STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .2rem .8rem; text-align: right }
th { border-bottom: 1px solid #888 } td:first-child, th:first-child { text-align: left }
img { max-width: 100% } audio { width: 15rem; height: 2rem } caption { text-align: left; font-weight: bold }"""

_ABOUT = {
    "htdemucs-n": "version",
    "commit": "commit",
    "date": "date",
    "command": "command",
    "dataset": "songs",
    "split": "part of the dataset",
    "engine": "engine",
    "device": "device",
    "precision": "precision",
    "cpu": "processor",
    "gpu": "GPU",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "torch": "PyTorch",
    "museval": "museval",
}
"""Facts that the page shows, and what it calls them."""

_METRICS = {
    "global SDR": "Signal-to-distortion ratio of the whole song: 10 log10 of the energy of the true stem over that of "
    "the error. An estimate of silence has 0 dB.",
    "BSS Eval SDR": "Signal-to-distortion ratio of BSS Eval v4: median over frames of 1 s, with filters of 512 samples "
    "allowed. Papers publish this one.",
    "BSS Eval ISR": "Source image to spatial distortion ratio of BSS Eval v4: errors of filtering and panning.",
    "BSS Eval SIR": "Signal-to-interference ratio of BSS Eval v4: what other stems leave in the estimate.",
    "BSS Eval SAR": "Signal-to-artefacts ratio of BSS Eval v4: what is in no stem.",
    "SI-SDR": "Scale-invariant signal-to-distortion ratio: the gain of the estimate does not count.",
    "LSD": "Log-spectral distance: the difference between the spectrograms, whatever their phases.",
    "leak": "Energy of the estimate relative to the mixture where the true stem is silent.",
    **dict.fromkeys(BANDS, "Level of the estimate over that of the true stem in this band."),
    "treble": "Energy of the estimate above the bandwidth of the mixture, relative to the mixture.",
    "lines": "How far steady tones at multiples of 5512.5 Hz stand out of the spectrum around them. Noise has 1 to 3.",
}


@dataclass(frozen=True)
class Excerpt:
    """A song that is shown: its mean score, the folder of its files, and the stems that have some."""

    name: str
    score: float
    place: str
    stems: Sequence[str]


def render_page(
    evaluation: Evaluation, summary: Summary, about: Mapping[str, Any], metric: str, excerpts: Sequence[Excerpt]
) -> str:
    """The page; `metric` is the one by which the songs of `excerpts` are the worst."""
    title = html.escape(f"{evaluation.name}: {counted(len(evaluation.songs), 'song')}")
    parts = [_about_table(about), _explanation(summary)]
    parts += [_summary_table(name, rows, evaluation.comparison.stems) for name, rows in summary.items()]
    parts += ['<h2>Songs</h2><img src="boxes.png" alt="Box plots of each metric, by stem and estimate">']
    worst = "The worst song" if len(excerpts) == 1 else f"The {len(excerpts)} worst songs"
    parts += [f"<h2>{worst} by {html.escape(metric)}</h2>"]
    for excerpt in excerpts:
        heading = f"{html.escape(excerpt.name)}: {excerpt.score:.2f} dB"
        parts.append(f"<h3>{heading}</h3>{_excerpt(excerpt)}")
    remarks = [*evaluation.comparison.notes, *(f"{name}: {why}" for name, why in evaluation.failures.items())]
    remarks += [f"{name}: {note}" for name, song in evaluation.songs.items() for note in song.notes]
    if remarks:
        parts.append("<h2>Notes</h2><ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in remarks) + "</ul>")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{''.join(parts)}</body></html>\n"
    )


def safe_stem(stem: str) -> str:
    """The name of a stem as part of a file name."""
    return "".join(letter if letter.isalnum() else "_" for letter in stem)


def _about_table(about: Mapping[str, Any]) -> str:
    rows = [(name, about[key]) for key, name in _ABOUT.items() if about.get(key)]
    cells = (f"<tr><td>{name}</td><td>{html.escape(str(value))}</td></tr>" for name, value in rows)
    return f"<table><caption>How this was made</caption>{''.join(cells)}</table>"


def _explanation(summary: Summary) -> str:
    """What the metrics and the baselines are, of those that are in the tables."""
    lines = [f"<li><b>{html.escape(name)}</b>: {_METRICS[name]}</li>" for name in summary if name in _METRICS]
    text = (
        "<p>Every table is one metric. A cell is the median over the songs that have a score; the last column is the "
        f"mean over the stems, where all have one.</p><ul>{''.join(lines)}</ul>"
    )
    if any(baseline in rows for rows in summary.values() for baseline in BASELINES):
        text += (
            "<p>Some rows need no model. <b>mixture</b> takes the song itself for every stem and <b>silence</b> takes "
            "nothing. <b>ideal ratio mask</b> and <b>Wiener oracle</b> know the true stems: they show what a filter of "
            "the spectrogram can reach.</p>"
        )
    return text


def _summary_table(metric: str, rows: Mapping[str, Mapping[str, Mapping[str, float]]], stems: Sequence[str]) -> str:
    head = "".join(f"<th>{html.escape(stem)}</th>" for stem in [*stems, "mean"])
    lines = []
    for estimate, row in rows.items():
        complete = all(stem in row for stem in stems)
        values = [row[stem]["median"] if stem in row else None for stem in stems]
        values.append(row["all"]["median"] if complete else None)
        cells = "".join("<td>-</td>" if value is None else f"<td>{value:.2f}</td>" for value in values)
        lines.append(f"<tr><td>{html.escape(estimate)}</td>{cells}</tr>")
    return (
        f"<table><caption>{html.escape(metric)}, dB, median over songs ({better(metric)})</caption>"
        f"<tr><th>estimate</th>{head}</tr>{''.join(lines)}</table>"
    )


def _excerpt(excerpt: Excerpt) -> str:
    """Picture and players of a song."""
    kinds = ("truth", "estimate", "error")
    rows = [
        f"<tr><td>{html.escape(stem)}</td>"
        + "".join(
            f'<td><audio controls preload="none" src="{excerpt.place}/{safe_stem(stem)}-{kind}.flac"></audio></td>'
            for kind in kinds
        )
        + "</tr>"
        for stem in excerpt.stems
    ]
    head = "".join(f"<th>{kind}</th>" for kind in kinds)
    return (
        f'<img src="{excerpt.place}/spectrograms.png" alt="Spectrograms of truth, estimate and error of each stem">'
        f"<table><tr><th>stem</th>{head}</tr>{''.join(rows)}</table>"
    )
