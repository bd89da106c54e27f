"""Another tempo and pitch, with Signalsmith Stretch (https://signalsmith-audio.co.uk/code/stretch/, MIT)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.errors import AudioError, require_packages

_MOST = 2**29
"""Samples of all channels that are given back at most: 20 minutes of ten channels at 44.1 kHz, 2 GiB."""

_SEED = 1
"""The phases of noise are random: the same samples give the same result."""


def stretched(samples: NDArray[np.float32], sample_rate: int, tempo: float, pitch: float) -> NDArray[np.float32]:
    """`tempo` times as fast and `pitch` semitones higher: `(C, T)` to `(C, round(T / tempo))`.

    All channels are changed in the same way, so that what sounds at the same time in them does so afterwards.

    Raises:
        UserError: the package python-stretch is not installed, or there are more samples than fit.
    """
    require_packages("another tempo or pitch", "studio", "python_stretch")
    from python_stretch.Signalsmith import Stretch

    channels, length = samples.shape
    wanted = max(1, round(length / tempo))
    if channels * wanted > _MOST:
        minutes = _MOST / channels / sample_rate / 60
        raise AudioError(f"the song is too long for another tempo or pitch: the result may have {minutes:.0f} minutes")
    stretch = Stretch(_SEED)
    stretch.preset(channels, sample_rate)
    stretch.setTimeFactor(tempo)
    stretch.setTransposeSemitones(pitch)
    result = np.asarray(stretch.process(np.ascontiguousarray(samples)), np.float32)[:, :wanted]
    return np.pad(result, ((0, 0), (0, wanted - result.shape[1])))
