"""An HTML report in a folder of its own: scores, box plots, and the worst songs to see and hear.

report/
  index.html
  boxes.png
  <song>/spectrograms.png
  <song>/<stem>-{truth,estimate,error}.flac
"""

from __future__ import annotations

import html
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from htdemucs_n.datasets.songs import SongFiles
from htdemucs_n.evaluation.estimators import Estimator
from htdemucs_n.evaluation.picture import save_spectrograms
from htdemucs_n.evaluation.reference import load_reference
from htdemucs_n.evaluation.run import Evaluation, common_sources, file_name
from htdemucs_n.evaluation.score import LOWER_IS_BETTER
from htdemucs_n.evaluation.summary import Summary
from htdemucs_n.files import write_whole

_WORST = 10
_EXCERPT = 8.0
"""Seconds of a song that are shown: those with the most error."""

_STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .2rem .8rem; text-align: right }
th { border-bottom: 1px solid #888 } td:first-child, th:first-child { text-align: left }
img { max-width: 100% } audio { width: 15rem; height: 2rem } caption { text-align: left; font-weight: bold }"""


def write_report(
    evaluation: Evaluation,
    summary: Summary,
    songs: Sequence[SongFiles],
    sources: Sequence[str],
    estimator: Estimator,
    folder: Path,
) -> Path:
    """Write the report on `evaluation`, of `songs` with the stems `sources`, into `folder`; returns its `index.html`.

    The worst songs are those with the lowest mean over the stems of the first metric (highest for a distance). They are
    estimated again, for what is shown.

    Raises:
        UserError: it can't be written, or a song can't be read any more.
    """
    fewer, kept, _ = common_sources(songs, sources, estimator)
    stems = [stem for stem in kept if stem in estimator.sources]
    metric = next(iter(summary))
    write_whole(folder / "boxes.png", _boxes(evaluation, summary, stems))
    ranked = _rank(evaluation, metric)
    by_name = {song.name: song for song in fewer} | {str(song.path): song for song in fewer}
    parts = [_summary_table(name, rows, stems) for name, rows in summary.items()]
    parts += ['<h2>Songs</h2><img src="boxes.png" alt="Box plots of each metric, by stem and estimate">']
    parts += [f"<h2>The {len(ranked)} worst songs by {html.escape(metric)}</h2>"]
    for name, score in ranked:
        song = by_name[name]
        place = file_name(song)
        shown = _show(song, kept, stems, estimator, evaluation.songs[name].scores, metric, folder / place)
        parts.append(f"<h3>{html.escape(name)}: {score:.2f} dB</h3>{_song_html(place, shown)}")
    remarks = [*evaluation.notes, *(f"{name}: {why}" for name, why in evaluation.failures.items())]
    remarks += [f"{name}: {note}" for name, song_score in evaluation.songs.items() for note in song_score.notes]
    if remarks:
        parts.append("<h2>Notes</h2><ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in remarks) + "</ul>")
    title = html.escape(f"{evaluation.name}: {len(evaluation.songs)} songs")
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{''.join(parts)}</body></html>\n"
    )
    write_whole(folder / "index.html", page)
    return folder / "index.html"


def _rank(evaluation: Evaluation, metric: str) -> list[tuple[str, float]]:
    """The worst songs first, each with its mean over the stems."""
    means = {
        name: statistics.fmean(scores.values())
        for name, song in evaluation.songs.items()
        if (scores := song.scores[evaluation.name].get(metric))
    }
    return sorted(means.items(), key=lambda item: item[1], reverse=metric in LOWER_IS_BETTER)[:_WORST]


def _show(
    song: SongFiles,
    sources: Sequence[str],
    stems: Sequence[str],
    estimator: Estimator,
    scores: Mapping[str, Mapping[str, Mapping[str, float]]],
    metric: str,
    folder: Path,
) -> list[str]:
    """Write pictures and audio of the excerpt with the most error; returns the stems that are shown."""
    reference = load_reference(song, sources)
    estimates, _ = estimator(reference)
    shown = [stem for stem in stems if stem in estimates]
    rate = reference.sample_rate
    length = min(reference.mixture.shape[1], round(_EXCERPT * rate))
    error = torch.stack([(estimates[stem] - reference.stems[stem]).square().sum(0) for stem in shown]).sum(0)
    energy = torch.nn.functional.pad(error.double().cumsum(0), (1, 0))
    start = int((energy[length:] - energy[: len(energy) - length]).argmax())
    truth = {stem: reference.stems[stem][:, start : start + length] for stem in shown}
    guess = {stem: estimates[stem][:, start : start + length] for stem in shown}
    values = scores[estimator.name].get(metric, {})
    titles = {stem: values.get(stem, math.nan) for stem in shown}
    save_spectrograms(folder / "spectrograms.png", truth, guess, titles, rate, error=True, metric=metric)
    loudest = max(float(x.abs().max()) for tracks in (truth, guess) for x in tracks.values())
    gain = min(1.0, 0.99 / loudest) if loudest else 1.0
    for stem in shown:
        for kind, track in (("truth", truth[stem]), ("estimate", guess[stem]), ("error", guess[stem] - truth[stem])):
            write_whole(folder / f"{_safe(stem)}-{kind}.flac", _flac(gain * track, rate))
    return shown


def _flac(samples: Tensor, sample_rate: int) -> bytes:
    """`(C, T)` as a 16-bit FLAC file, which every browser plays."""
    file = io.BytesIO()
    soundfile.write(file, samples.clamp(-1, 1).T.numpy(), sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _boxes(evaluation: Evaluation, summary: Summary, stems: Sequence[str]) -> bytes:
    """Box plots over songs as a PNG: a row a metric, a group a stem, a box an estimate."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3 * len(summary)), dpi=100, layout="constrained")
    names = list(dict.fromkeys(name for rows in summary.values() for name in rows))
    width = 0.8 / len(names)
    for row, metric in enumerate(summary, 1):
        axis = figure.add_subplot(len(summary), 1, row)
        for index, estimate in enumerate(names):
            if estimate not in summary[metric]:
                continue
            data = [
                [song.scores[estimate][metric][stem] for song in evaluation.songs.values()
                 if stem in song.scores.get(estimate, {}).get(metric, {})]
                for stem in stems
            ]  # fmt: skip
            places = [number + width * (index - (len(names) - 1) / 2) for number in range(len(stems))]
            boxes = axis.boxplot(data, positions=places, widths=0.85 * width, patch_artist=True)
            for box in boxes["boxes"]:
                box.set_facecolor(f"C{index}")
            for line in boxes["medians"]:
                line.set_color("black")
            axis.plot([], [], "s", color=f"C{index}", label=estimate)
        axis.set_xticks(range(len(stems)), stems)
        axis.set_ylabel(f"{metric}, dB")
        axis.grid(axis="y", alpha=0.4)
        if row == 1:
            axis.legend(ncols=len(names), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def _summary_table(metric: str, rows: Mapping[str, Mapping[str, Mapping[str, float]]], stems: Sequence[str]) -> str:
    better = "lower is better" if metric in LOWER_IS_BETTER else "higher is better"
    head = "".join(f"<th>{html.escape(stem)}</th>" for stem in stems)
    lines = []
    for estimate, row in rows.items():
        cells = [f"<td>{row[stem]['median']:.2f}</td>" if stem in row else "<td>-</td>" for stem in stems]
        lines.append(f"<tr><td>{html.escape(estimate)}</td>{''.join(cells)}</tr>")
    return (
        f"<table><caption>{html.escape(metric)}, dB, median over songs ({better})</caption>"
        f"<tr><th>estimate</th>{head}</tr>{''.join(lines)}</table>"
    )


def _song_html(place: str, stems: Sequence[str]) -> str:
    """Picture and players of a song whose files are in the folder `place`."""
    kinds = ("truth", "estimate", "error")
    rows = [
        f"<tr><td>{html.escape(stem)}</td>"
        + "".join(
            f'<td><audio controls preload="none" src="{place}/{_safe(stem)}-{kind}.flac"></audio></td>'
            for kind in kinds
        )
        + "</tr>"
        for stem in stems
    ]
    head = "".join(f"<th>{kind}</th>" for kind in kinds)
    return (
        f'<img src="{place}/spectrograms.png" alt="Spectrograms of truth, estimate and error of each stem">'
        f"<table><tr><th>stem</th>{head}</tr>{''.join(rows)}</table>"
    )


def _safe(stem: str) -> str:
    """A stem's name as part of a file name."""
    return "".join(letter if letter.isalnum() else "_" for letter in stem)
