"""BSS Eval version 4: SDR, ISR, SIR and SAR in frames of a second, computed by the package `museval`.

The estimate is projected on the references delayed by 0 to 511 samples, one set of filters for the whole song; what is
left over splits into spatial distortion (ISR), interference (SIR) and artifacts (SAR). A frame in which any reference
or any estimate is silent has no score. A song's score is the median over its frames. Source: Stöter, Liutkus, Ito,
"The 2018 Signal Separation Evaluation Campaign", LVA/ICA 2018.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.errors import DeviceError, missing_package

METRICS = ("sdr", "isr", "sir", "sar")

_HIGHEST = 300.0
"""In place of an infinite ratio, dB: float64 cannot resolve more."""


def bss_eval(
    references: Mapping[str, NDArray[np.float32]],
    estimates: Mapping[str, NDArray[np.float32]],
    sample_rate: int,
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Score `estimates` against `references`, both `(C, T)` by stem, equally long, at `sample_rate` Hz.

    Returns the medians over frames in dB, by stem and metric (`METRICS`), and notes on what could not be scored. Stems
    that are silent in the reference or the estimate have no score and are left out, as is a stem without an estimate. A
    song shorter than a second is one frame.

    Raises:
        UserError: `museval` is not installed.
    """
    metrics = require_museval()
    # museval's own test of silence: the sum of the channels.
    audible = {stem: track for stem, track in references.items() if track.sum(axis=0).any()}
    scored = [stem for stem in audible if stem in estimates and estimates[stem].sum(axis=0).any()]
    notes = [
        f"{stem}: no BSS Eval, the {'reference' if stem not in audible else 'estimate'} is silent"
        for stem in references
        if stem in estimates and stem not in scored
    ]
    if not scored:
        return {}, notes
    truth = np.stack([track.T for track in audible.values()]).astype(np.float64)  # (S, T, C)
    # The score of a stem depends on its own estimate and on all references: the reference stands in for an estimate
    # that is not scored.
    guess = np.stack([(estimates[stem] if stem in scored else track).T for stem, track in audible.items()])
    try:
        values = metrics.bss_eval(truth, guess.astype(np.float64), window=sample_rate, hop=sample_rate)[:4]
    except (np.linalg.LinAlgError, AttributeError):  # museval names the error by a path that NumPy no longer has
        return {}, [*notes, "no BSS Eval: the references are not independent of each other"]
    scores: dict[str, dict[str, float]] = {}
    for index, stem in enumerate(audible):
        if stem not in scored:
            continue
        frames = np.stack([value[index] for value in values])  # (4, frames)
        frames = frames[:, np.isfinite(frames[0]) | np.isinf(frames[0])]
        if not frames.shape[1]:
            notes.append(f"{stem}: no BSS Eval, every second has a silent stem")
            continue
        medians = np.median(np.clip(frames, -_HIGHEST, _HIGHEST), axis=1)
        scores[stem] = dict(zip(METRICS, medians.tolist(), strict=True))
    return scores, notes


@functools.cache
def require_museval() -> ModuleType:
    """The module `museval.metrics`, without its package: that imports a reader which asks for the program ffmpeg.

    Raises:
        UserError: `museval` is not installed.
    """
    package = importlib.util.find_spec("museval")
    if package is None or package.origin is None:
        raise missing_package("BSS Eval (--metrics global,si,lsd,leak leaves it out)", "museval", "evaluate")
    spec = importlib.util.spec_from_file_location("museval_metrics", Path(package.origin).with_name("metrics.py"))
    if spec is None or spec.loader is None:
        raise DeviceError("the package museval is damaged: install it again")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
