"""The official Hybrid Transformer Demucs (Rouard et al., 2023) without its transforms, for export.

Its `forward` calls methods for its transforms. In a copy of the network they are replaced by what the graph reads and
writes; everything between them stays as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from htdemucs_n.errors import ModelError
from htdemucs_n.export.graph import Graph
from htdemucs_n.models.ensemble import Ensemble
from htdemucs_n.models.graph_info import AUDIO, SPECTRA, WAVEFORMS, GraphInfo, spectrum_name
from htdemucs_n.models.official import OfficialModel


class OfficialGraph(Graph):
    """Audio `(1, 2, T)` and its spectrum `(1, 2, frames, 2048, 2)` to waveforms and spectra of the stems.

    Raises:
        ModelError: it is of an older architecture, or a bag of several networks.
    """

    folded = True

    def __init__(self, model: OfficialModel | Ensemble, facts: Mapping[str, Any]) -> None:
        if isinstance(model, Ensemble):
            if len(model.members) > 1:
                raise ModelError(
                    f"this is a bag of {len(model.members)} networks: export the file of each, and average them"
                )
            model = model.members[0]  # type: ignore[assignment]
        network: Any = model.member
        if type(network).__name__ != "HTDemucs" or not network.cac:
            raise ModelError(f"a {type(network).__name__} cannot be exported: only the networks of htdemucs can")
        network = copy.copy(network)
        super().__init__(network, model)
        self.info = GraphInfo(
            sources=tuple(network.sources),
            samplerate=int(network.samplerate),
            segment=float(network.segment),
            overlap=model.overlap,
            inputs=(AUDIO, spectrum_name(network.nfft)),
            outputs=(WAVEFORMS, f"{SPECTRA}_0"),
            n_ffts=(network.nfft,),
            output_n_fft=network.nfft,
            edges="reflect",
            samples=int(network.segment * network.samplerate),
            level=False,
            consistency=False,
            full_precision=True,
            facts=facts,
        )

    def forward(self, audio: Tensor, spectrum: Tensor) -> tuple[Tensor, ...]:
        """The stems' share of the time branch `(1, S, C, T)`, and their spectra `(1, 1, frames, S, C, bins, 2)`."""
        written: list[Tensor] = []
        network = self.network
        network._spec = lambda mixture: spectrum
        network._magnitude = lambda pairs: pairs.permute(0, 1, 4, 3, 2).flatten(1, 2)  # (B, 2C, bins, frames)
        network._mask = lambda _, channels: written.append(channels)
        network._ispec = lambda _, length: 0.0
        waveforms = network(audio)
        pairs = written[0].unflatten(2, (-1, 2))  # (B, S, C, 2, bins, frames)
        return waveforms, pairs.permute(0, 5, 1, 2, 4, 3).unsqueeze(0).contiguous()
