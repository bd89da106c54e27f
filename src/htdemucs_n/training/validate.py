"""Validation: global SDR a stem on held-out songs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
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
        scores.append(global_sdr(stems, model(mixture[None].to(device))[0].to(stems.device)))
    medians = torch.nanquantile(torch.stack(scores), 0.5, dim=0)
    result = dict(zip(model.sources, medians.tolist(), strict=True))  # type: ignore[arg-type]
    return result | {"mean": float(medians.nanmean())}
