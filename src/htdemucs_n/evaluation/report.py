"""An HTML report in a folder of its own: scores, box plots, and the worst songs as pictures and audio.

report/
  index.html
  boxes.png
  <song>/spectrograms.png
  <song>/<stem>-{truth,estimate,error}.flac
"""

from __future__ import annotations

import io
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from htdemucs_n.evaluation.comparison import Comparison
from htdemucs_n.evaluation.picture import save_spectrograms
from htdemucs_n.evaluation.reference import load_reference
from htdemucs_n.evaluation.report_page import Excerpt, render_page, safe_stem
from htdemucs_n.evaluation.run import Evaluation, file_name
from htdemucs_n.evaluation.score import badness
from htdemucs_n.evaluation.summary import Summary
from htdemucs_n.files import write_whole
from htdemucs_n.plots import new_figure, png_bytes

_WORST = 10
_SECONDS = 8.0
"""Length of the excerpt of a song that is shown: the one with the most error."""


def write_report(evaluation: Evaluation, summary: Summary, about: Mapping[str, Any], folder: Path) -> Path:
    """Write the report on `evaluation` into `folder`; returns its `index.html`. `about` says how it was made.

    The worst songs are those with the lowest mean over the stems of the first metric (highest for a distance). They are
    estimated again, for what is shown.

    Raises:
        UserError: it cannot be written, or a song cannot be read any more.
    """
    comparison = evaluation.comparison
    metric = next(iter(summary))
    write_whole(folder / "boxes.png", _boxes(evaluation, summary, comparison.stems))
    excerpts = []
    for name, score in _rank(evaluation, metric):
        place = file_name(comparison.songs[name])
        scores = evaluation.songs[name].scores[evaluation.name].get(metric, {})
        shown = _write_excerpt(name, comparison, scores, metric, folder / place)
        excerpts.append(Excerpt(name, score, place, shown))
    write_whole(folder / "index.html", render_page(evaluation, summary, about, metric, excerpts))
    return folder / "index.html"


def _rank(evaluation: Evaluation, metric: str) -> list[tuple[str, float]]:
    """The worst songs first, each with its mean over the stems."""
    means = {
        name: statistics.fmean(scores.values())
        for name, song in evaluation.songs.items()
        if (scores := song.scores[evaluation.name].get(metric))
    }
    return sorted(means.items(), key=lambda item: badness(metric, item[1]), reverse=True)[:_WORST]


def _write_excerpt(
    name: str, comparison: Comparison, scores: Mapping[str, float], metric: str, folder: Path
) -> list[str]:
    """Write pictures and audio of the excerpt with the most error; returns the stems that are shown.

    `scores` holds the `metric` of each stem for the titles.
    """
    reference = load_reference(comparison.songs[name], comparison.sources)
    estimates, _ = comparison.estimator(reference)
    shown = [stem for stem in comparison.stems if stem in estimates]
    rate = reference.sample_rate
    length = min(reference.mixture.shape[1], round(_SECONDS * rate))
    error = torch.stack([(estimates[stem] - reference.stems[stem]).square().sum(0) for stem in shown]).sum(0)
    energy = torch.nn.functional.pad(error.double().cumsum(0), (1, 0))
    start = int((energy[length:] - energy[: len(energy) - length]).argmax())
    truth = {stem: reference.stems[stem][:, start : start + length].numpy() for stem in shown}
    guess = {stem: estimates[stem][:, start : start + length].numpy() for stem in shown}
    titles = {stem: scores.get(stem, math.nan) for stem in shown}
    save_spectrograms(folder / "spectrograms.png", truth, guess, titles, rate, error=True, metric=metric)
    loudest = max(float(np.abs(x).max()) for tracks in (truth, guess) for x in tracks.values())
    gain = min(1.0, 0.99 / loudest) if loudest else 1.0
    for stem in shown:
        for kind, track in (("truth", truth[stem]), ("estimate", guess[stem]), ("error", guess[stem] - truth[stem])):
            write_whole(folder / f"{safe_stem(stem)}-{kind}.flac", _flac(gain * track, rate))
    return shown


def _flac(samples: NDArray[np.floating[Any]], sample_rate: int) -> bytes:
    """`(C, T)` as a 16-bit FLAC file, which every browser plays."""
    file = io.BytesIO()
    soundfile.write(file, samples.clip(-1, 1).T, sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _boxes(evaluation: Evaluation, summary: Summary, stems: Sequence[str]) -> bytes:
    """Box plots over songs as a PNG: a row for each metric, a group for each stem, a box for each estimate."""
    figure = new_figure(12, 3 * len(summary))
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
    return png_bytes(figure)
