"""Validation: global SDR a stem on held-out songs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

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
        scores.append(global_sdr(stems, model(mixture[None].to(device))[0].to(stems.device)))
    return _medians(scores, model.sources)  # type: ignore[arg-type]


def mixture_scores(sources: Sequence[str], songs: Sequence[Song]) -> dict[str, float]:
    """The scores of a model that gives the mixture as every stem, as `validate` has them."""
    known = [song.mixture_and_stems() for song in songs]
    return _medians([global_sdr(stems, mixture.expand_as(stems)) for mixture, stems in known], sources)


def _medians(scores: Sequence[Tensor], sources: Sequence[str]) -> dict[str, float]:
    """Over the songs, each `(S,)`, a stem, and their mean."""
    medians = torch.nanquantile(torch.stack(list(scores)), 0.5, dim=0)
    result = dict(zip(sources, medians.tolist(), strict=True))
    return result | {"mean": float(medians.nanmean())}
