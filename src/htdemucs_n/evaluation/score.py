"""All scores of one song: every metric by its own name, for the estimates of a model and for the baselines."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from htdemucs_n.datasets.bandwidth import bandwidth
from htdemucs_n.evaluation.bss_eval import METRICS, bss_eval
from htdemucs_n.evaluation.leakage import leaked_energy
from htdemucs_n.evaluation.oracles import ideal_ratio_mask, wiener
from htdemucs_n.evaluation.reference import Reference
from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.evaluation.si_sdr import si_sdr
from htdemucs_n.evaluation.spectral_distance import log_spectral_distance
from htdemucs_n.evaluation.spectral_faults import (
    BANDS,
    excess_treble,
    level_errors,
    line_height,
    long_term_spectrum,
)

GROUPS: Mapping[str, tuple[str, ...]] = {
    "global": ("global SDR",),
    "bss": tuple(f"BSS Eval {metric.upper()}" for metric in METRICS),
    "si": ("SI-SDR",),
    "lsd": ("LSD",),
    "leak": ("leak",),
    "faults": (*BANDS, "treble", "lines"),
}
"""What can be computed, and the metrics that each of these gives."""

LOWER_IS_BETTER = frozenset({"LSD", "leak", "treble", "lines"})


def better(metric: str) -> str:
    """How the values of a metric are read, for the head of a table."""
    if metric in BANDS:
        return "nearest to 0 is best"
    return "lower is better" if metric in LOWER_IS_BETTER else "higher is better"


def badness(metric: str, value: float) -> float:
    """`value` of `metric` so that more is worse, to rank songs."""
    if metric in BANDS:
        return abs(value)
    return value if metric in LOWER_IS_BETTER else -value


BASELINES = ("mixture", "silence", "ideal ratio mask", "Wiener oracle")
"""Estimates that no model is needed for; the last two know the stems."""

Estimates = Mapping[str, Tensor]
"""Estimated stems `(C, T)` by name."""


@dataclass
class SongScore:
    """The scores of a song by estimate, metric and stem, in dB, all finite.

    What has no score is not there; `notes` say why.
    """

    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def score_song(
    reference: Reference, name: str, estimates: Estimates, groups: Collection[str], baselines: bool
) -> SongScore:
    """Score the `estimates` (called `name`) of a song, and the baselines where wanted.

    Estimates have the shape of the reference's stems (`fit`); a stem of the reference without one is not scored.
    """
    result = SongScore(notes=list(reference.notes))
    for label, guess in _all_estimates(reference, name, estimates, baselines):
        scores, notes = _score(reference, guess, groups)
        result.scores[label] = scores
        if label == name:  # what is silent in a reference is silent for the baselines too
            result.notes += notes
    return result


def fit(estimate: Tensor, reference: Tensor) -> tuple[Tensor, str]:
    """Bring `estimate` `(C', T')` to the shape of `reference` `(C, T)`; returns it and a note, empty where it fitted.

    Mono is put on both channels, stereo is averaged for a mono song, the end is cut or padded with silence.
    """
    notes = []
    channels, length = reference.shape
    if estimate.shape[0] != channels:
        estimate = estimate.mean(0, keepdim=True) if channels == 1 else estimate[:1].expand(channels, -1)
        notes.append(f"made {'mono' if channels == 1 else 'stereo'}")
    if (missing := length - estimate.shape[1]) > 0:
        notes.append(f"{missing} samples too short, padded")
    elif missing < 0:
        notes.append(f"{-missing} samples too long, cut")
    return torch.nn.functional.pad(estimate, (0, missing)), ", ".join(notes)


def _all_estimates(
    reference: Reference, name: str, estimates: Estimates, baselines: bool
) -> Iterator[tuple[str, Estimates]]:
    """One at a time: the oracles of a whole song are large."""
    yield name, estimates
    if baselines:
        wanted = set(estimates)
        mixture, silence = reference.mixture, torch.zeros_like(reference.mixture)
        yield BASELINES[0], dict.fromkeys(wanted, mixture)
        yield BASELINES[1], dict.fromkeys(wanted, silence)
        for label, oracle in zip(BASELINES[2:], (ideal_ratio_mask, wiener), strict=True):
            yield label, {stem: track for stem, track in oracle(reference.stems, mixture).items() if stem in wanted}


def _score(
    reference: Reference, estimates: Estimates, groups: Collection[str]
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Scores by metric and stem, and notes."""
    scores: dict[str, dict[str, float]] = {
        metric: {} for group in GROUPS if group in groups for metric in GROUPS[group]
    }
    notes = []
    rate = reference.sample_rate
    if "faults" in groups:
        mixture, limit = long_term_spectrum(reference.mixture), bandwidth(reference.mixture.numpy(), rate)
    for stem, truth in reference.stems.items():
        if stem not in estimates:
            continue
        guess = estimates[stem]
        if not truth.any():
            notes.append(f"{stem}: silent, only its leak is scored")
            if "leak" in groups:
                scores["leak"][stem] = leaked_energy(guess, reference.mixture)
            continue
        if "global" in groups:
            scores["global SDR"][stem] = float(global_sdr(truth, guess))
        if "si" in groups:
            scores["SI-SDR"][stem] = float(si_sdr(truth, guess))
            if not guess.any():
                notes.append(f"{stem}: no SI-SDR, the estimate is silent")
        if "lsd" in groups:
            scores["LSD"][stem] = log_spectral_distance(truth, guess)
        if "faults" in groups:
            spectrum = long_term_spectrum(guess)
            for metric, value in level_errors(long_term_spectrum(truth), spectrum, rate).items():
                scores[metric][stem] = value
            scores["treble"][stem] = excess_treble(spectrum, mixture, limit, rate)
            scores["lines"][stem] = line_height(spectrum, rate)
    if "bss" in groups:
        arrays = [{stem: track.numpy() for stem, track in tracks.items()} for tracks in (reference.stems, estimates)]
        values, bss_notes = bss_eval(arrays[0], arrays[1], reference.sample_rate)
        notes += bss_notes
        for stem, by_metric in values.items():
            for metric, value in by_metric.items():
                scores[f"BSS Eval {metric.upper()}"][stem] = value
    finite = {
        metric: {stem: value for stem, value in stems.items() if math.isfinite(value)}
        for metric, stems in scores.items()
    }
    return finite, notes
