"""The networks without their transforms, in the form in which ONNX files hold them (see `graph_info`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from htdemucs_n.models.band_transformer import BandTransformer
from htdemucs_n.models.config import N_FFT, NetworkSizes
from htdemucs_n.models.graph_info import AUDIO, MASKS, SPECTRA, WAVEFORMS, GraphInfo, spectrum_name
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from htdemucs_n.models.multi_resolution_stft import phasor_features
from htdemucs_n.models.spectral_head import bounded
from htdemucs_n.models.stft import compressed


class Graph(nn.Module):
    """A network without its transforms, with the description that its file will have.

    A subclass defines `forward`, which takes the inputs and returns the outputs of `info`, in their order.
    """

    info: GraphInfo

    folded = False
    """Whether the exporter may compute constants. Otherwise every weight stays as it is, under its name."""

    def __init__(self, network: Any, whole: nn.Module | None = None) -> None:
        super().__init__()
        self.network = network
        self._whole: list[nn.Module] = [
            network if whole is None else whole
        ]  # in a list, so that its weights are not listed twice

    @property
    def whole(self) -> nn.Module:
        """The model with its transforms, mixture `(B, C, T)` to stems `(B, S, C, T)`."""
        return self._whole[0]

    def add_fact(self, key: str, value: Any) -> None:
        """Add to what the file says of the weights."""
        self.info = dataclasses.replace(self.info, facts={**self.info.facts, key: value})


class BandTransformerGraph(Graph):
    """Spectra `(1, C, frames, n_fft/2, 2)` to masks, a zone of bands each, `(n, 1, frames', S, C, k, 2)`."""

    def __init__(self, network: BandTransformer, facts: Mapping[str, Any]) -> None:
        super().__init__(network)
        config = network.config
        inputs = tuple(map(spectrum_name, config.n_ffts))
        outputs = zone_names(MASKS, config)
        self.info = graph_info(config, inputs=inputs, outputs=outputs, output_n_fft=config.mask_n_fft, facts=facts)

    def forward(self, *spectra: Tensor) -> tuple[Tensor, ...]:
        """The masks of the stems."""
        heads = self.network.mask_values([compressed(pairs) for pairs in spectra])
        # tanh before they are put together, where it needs no memory of its own
        return tuple(torch.stack([stem.tanh() for stem in zone], dim=3) for zone in zip(*heads, strict=True))


class HybridGraph(Graph):
    """Audio and spectra to the waveforms of the time branch, and to masks or spectra."""

    def __init__(self, network: HTDemucs_n, facts: Mapping[str, Any]) -> None:
        super().__init__(network)
        config = network.config
        kind = SPECTRA if config.spectral_head == "mapping" else MASKS
        written = () if config.spectral_head == "none" else zone_names(kind, config)
        self.windows = sorted({*config.n_ffts, N_FFT})
        self.info = graph_info(
            config,
            inputs=(AUDIO, *map(spectrum_name, self.windows)),
            outputs=(WAVEFORMS, *written),
            n_ffts=tuple(self.windows),
            frame_multiple=config.frame_multiple,
            facts=facts,
        )

    def forward(self, audio: Tensor, *spectra: Tensor) -> tuple[Tensor, ...]:
        """Waveforms and, where the network has a spectral head, masks or spectra of the stems."""
        read = dict(zip(self.windows, spectra, strict=True))
        features = [phasor_features(read[n_fft]) for n_fft in self.network.config.n_ffts]
        stems, grid, tokens = self.network.branches(audio, features, compressed(read[N_FFT]))
        head = self.network.spectral_head
        zones = [] if head is None else [bounded(head.kind, zone, stems=3) for zone in head.zones(grid, tokens)]
        return (stems, *zones)


def network_graph(network: BandTransformer | HTDemucs_n, facts: Mapping[str, Any]) -> Graph:
    """The graph of a network of ours, with what is known of its weights."""
    return BandTransformerGraph(network, facts) if isinstance(network, BandTransformer) else HybridGraph(network, facts)


def graph_info(config: NetworkSizes, **values: Any) -> GraphInfo:
    """The description of a graph of ours: what its config says, and the other `values`."""
    return GraphInfo(
        **{
            "sources": config.sources,
            "samplerate": config.samplerate,
            "segment": config.segment,
            "overlap": config.overlap,
            "n_ffts": config.n_ffts,
            "pad_to_segment": config.use_train_segment,
            "consistency": config.mixture_consistency,
            **values,
        }
    )


def zone_names(kind: str, config: NetworkSizes) -> tuple[str, ...]:
    """The names of the outputs that hold the masks or spectra: one for each zone of bands."""
    return tuple(f"{kind}_{number}" for number in range(len(config.band_zones)))
