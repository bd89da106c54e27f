"""Validation: global SDR a stem on held-out songs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.training.bank import Song


@torch.inference_mode()
def validate(model: nn.Module, songs: Sequence[Song]) -> dict[str, float]:
    """Median over `songs` of the global SDR, dB, a stem, and their `mean`. Songs go in whole, as one segment.

    Songs in which a stem is silent do not count for that stem; a stem that no song has (NaN) not for the mean.
    """
    device = next(model.parameters()).device
    scores = []
    for song in songs:
        mixture, stems = song.mixture_and_stems()
        scores.append(global_sdr(stems.cpu(), model(mixture[None].to(device))[0].cpu()))
    return _medians(scores, model.sources)  # type: ignore[arg-type]


def mixture_scores(sources: Sequence[str], songs: Sequence[Song]) -> dict[str, float]:
    """The scores of a model that gives the mixture as every stem, as `validate` has them."""
    known = [song.mixture_and_stems() for song in songs]
    return _medians([global_sdr(stems.cpu(), mixture.cpu().expand_as(stems)) for mixture, stems in known], sources)


def _medians(scores: Sequence[NDArray[np.float64]], sources: Sequence[str]) -> dict[str, float]:
    """Over the songs, each `(S,)`, a stem, and their mean."""
    known = [[score for score in of_stem if not np.isnan(score)] for of_stem in zip(*scores, strict=True)]
    medians = [float(np.median(of_stem)) if of_stem else np.nan for of_stem in known]
    scored = [median for median in medians if not np.isnan(median)]
    return dict(zip(sources, medians, strict=True)) | {"mean": float(np.mean(scored)) if scored else np.nan}
