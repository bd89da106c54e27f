"""From the masks or spectra that graphs write, band by band, to the spectrum of a stem.

The masks of all stems are the largest arrays of a separation. They are averaged, put in the order of the bins and
multiplied with the mixture one stem and some frames at a time, so that what is computed stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.engines.stft import Spectrum
from htdemucs_n.models.graph_info import MASKS, SPECTRA

Arrays = Mapping[str, NDArray[np.float32]]
"""The inputs or the outputs of a graph, by their names."""


_BLOCK = 22
"""Frames of the spectrum of a stem that are computed at a time: 0.7 MiB."""


class Written:
    """What a graph writes on the output STFT, and the graph's share in the average.

    `zones` are its bands from low to high, views `(n, 1, frames, S, C, k)`: k bins of each of n bands.
    """

    def __init__(self, outputs: Arrays, share: float) -> None:
        self.kind = MASKS if f"{MASKS}_0" in outputs else SPECTRA
        names = sorted((name for name in outputs if name.startswith(f"{self.kind}_")), key=_number)
        self.zones: list[Spectrum] = [outputs[name].view(np.complex64)[..., 0] for name in names]
        self.share = np.float32(share)

    def places(self, spectrum: Spectrum, stem: int, frames: slice) -> Iterator[tuple[Spectrum, Spectrum]]:
        """The places of the bands in `(C, n, bins)`, and what the graph wrote for them in some frames of a stem."""
        start = 0
        for zone in self.zones:
            values = zone[:, 0, frames, stem].transpose(2, 1, 0, 3)  # (C, n, bands, k)
            width = values.shape[2] * values.shape[3]
            yield spectrum[..., start : start + width].reshape(values.shape), values
            start += width


def spectrum_of(written: Sequence[Written], stem: int, mixture: Spectrum) -> Iterator[Spectrum]:
    """The spectrum `(C, frames, bins)` of a stem, from the mixture's, in blocks of frames."""
    masks = [part for part in written if part.kind == MASKS]
    spectra = [part for part in written if part.kind == SPECTRA]
    for first in range(0, mixture.shape[1], _BLOCK):
        frames = slice(first, first + _BLOCK)
        block = mixture[:, frames]
        spectrum = np.empty_like(block) if masks else np.zeros_like(block)
        for number, part in enumerate(masks):
            for place, values in part.places(spectrum, stem, frames):
                if number == 0:
                    np.multiply(values, part.share, out=place)
                else:
                    place += values * part.share
        spectrum *= block
        for part in spectra:
            for place, values in part.places(spectrum, stem, frames):
                place += values * part.share
        yield spectrum


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])
