"""From the masks or spectra that graphs write, band by band, to the spectrum of a stem.

The masks of all stems are the largest arrays of a separation. They are averaged, put in the order of the bins and
multiplied with the mixture one stem at a time, in the memory of the inverse STFT's input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.engines.stft import Spectrum
from htdemucs_n.models.graph_info import MASKS, SPECTRA

Arrays = Mapping[str, NDArray[np.float32]]
"""The inputs or the outputs of a graph, by their names."""


class Written:
    """What a graph writes on the output STFT, and the graph's share in the average.

    `zones` are its bands from low to high, views `(n, 1, frames, S, C, k)`: k bins of each of n bands.
    """

    def __init__(self, outputs: Arrays, share: float) -> None:
        self.kind = MASKS if f"{MASKS}_0" in outputs else SPECTRA
        names = sorted((name for name in outputs if name.startswith(f"{self.kind}_")), key=_number)
        self.zones: list[Spectrum] = [outputs[name].view(np.complex64)[..., 0] for name in names]
        self.share = np.float32(share)

    def add_to(self, spectrum: Spectrum, stem: int) -> None:
        """Add the values of a stem, times the share, to `(C, frames, bins)`."""
        start = 0
        for zone in self.zones:
            values = zone[:, 0, :, stem].transpose(2, 1, 0, 3)  # (C, frames, n, k)
            width = values.shape[2] * values.shape[3]
            place = spectrum[..., start : start + width].reshape(values.shape)  # a view
            place += values if self.share == 1 else values * self.share
            start += width


def spectrum_of(written: Sequence[Written], stem: int, mixture: Spectrum) -> Spectrum:
    """The spectrum `(C, frames, bins)` of a stem, from the mixture's."""
    spectrum = np.zeros_like(mixture)
    for part in written:
        if part.kind == MASKS:
            part.add_to(spectrum, stem)
    spectrum *= mixture
    for part in written:
        if part.kind == SPECTRA:
            part.add_to(spectrum, stem)
    return spectrum


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])
