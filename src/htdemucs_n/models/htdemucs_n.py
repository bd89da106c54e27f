"""HTDemucs_n: audio in, stems out.

audio -+-> STFT 512..4096 -> a processor each -> weighted fusion -+
       +-> STFT 4096 (complex as channels) -----------------------+-> ResUNet++ -+-> spectral head -> inverse STFT
       |                                                                         v        ^                  |
       +-> time encoder -> linear attention transformer --------------------> fusion -----+                  + = stems
                 |                                                               v                           |
                 +--------------------------- skips ----------------------> time decoder --------------------+
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from htdemucs_n.models.bands import BandSplit
from htdemucs_n.models.config import N_FFT, HTDemucsNConfig
from htdemucs_n.models.fusion import AdditiveFusion, LearnedFusion
from htdemucs_n.models.linear_attention import LinearTransformerEncoder
from htdemucs_n.models.multi_resolution_stft import MultiResolutionEncoder, MultiResolutionSTFT
from htdemucs_n.models.network import SeparationNetwork
from htdemucs_n.models.resunet_plus import ResUNetPlusDecoder, ResUNetPlusEncoder
from htdemucs_n.models.spectral_head import SpectralHead
from htdemucs_n.models.stft import STFT, compressed, real_pairs
from htdemucs_n.models.time_branch import TimeDecoder, TimeEncoder, level_strides


class HTDemucs_n(SeparationNetwork):
    """The separator. Built from a config, from keywords of `HTDemucsNConfig`, or from both.

    Shape: mixture `(B, C, T)` -> stems `(B, S, C, T)`, any T >= 1, as `SeparationNetwork` describes it.
    """

    config: HTDemucsNConfig

    def __init__(self, config: HTDemucsNConfig | None = None, **keys: Any) -> None:
        config = dataclasses.replace(config or HTDemucsNConfig(), **keys)
        super().__init__(config)
        self.frame_multiple = config.frame_multiple
        channels, base, dim = config.audio_channels, config.resunet_base_channels, config.transformer_dim

        self.multi_stft = MultiResolutionSTFT(config.n_ffts)
        self.multi_stft_encoder = MultiResolutionEncoder(
            3 * channels,
            config.multi_stft_channels,
            config.n_ffts,
            config.band_zones,
            config.stft_fusion_method,
        )
        self.stft = STFT(N_FFT)
        self.complex_encoder = BandSplit(config.band_zones, N_FFT, 2 * channels, base)
        self.freq_encoder = ResUNetPlusEncoder(
            config.multi_stft_channels + base,
            base,
            config.resunet_depth,
            config.resunet_use_se,
            config.resunet_se_reduction,
        )
        self.freq_decoder = ResUNetPlusDecoder(base, config.resunet_depth, config.resunet_use_attention)

        strides = level_strides(config.depth)
        widths = [round(config.channels * config.growth**level) for level in range(config.depth)]
        self.time_encoder = TimeEncoder(channels, widths, strides, dim, config.time_encoder_blocks)
        self.transformer = LinearTransformerEncoder(
            dim,
            config.linear_attn_layers,
            config.linear_attn_heads,
            config.linear_attn_dim_head,
            config.linear_attn_ff_mult,
            config.attention,
        )
        self.lstm = (
            nn.LSTM(dim, dim // 2, config.lstm_layers, batch_first=True, bidirectional=True)
            if config.lstm_layers
            else None
        )
        self.fusion = _build_fusion(config)
        self.time_decoder = TimeDecoder(len(self.sources) * channels, widths, strides, dim, config.time_decoder_blocks)
        self.spectral_head = (
            SpectralHead(config.spectral_head, base, dim, config.band_zones, len(self.sources), channels)
            if config.spectral_head != "none"
            else None
        )

    def estimate(self, audio: Tensor) -> Tensor:
        """The stems `(B, S, C, T)` of scaled and padded audio `(B, C, T)`, before they are made to add up."""
        spectrum = self.stft(audio)  # (B, C, 2048, frames)
        stems, grid, tokens = self.branches(audio, self.multi_stft(audio), compressed(real_pairs(spectrum)))
        if self.spectral_head is not None:
            stems = stems + self.spectral_head.waveforms(grid, tokens, spectrum, self.stft)
        return stems

    def branches(
        self, audio: Tensor, features: list[Tensor], complex_features: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The network without its transforms.

        Shape: audio `(B, C, T)`, features of the STFTs as `MultiResolutionSTFT` gives them and complex ones
        `(B, 2C, frames, 2048)` -> the stems of the time branch `(B, S, C, T)`, the grid `(B, base, bands, frames)` and
        the fused tokens `(B, dim, frames)`.
        """
        grid = self._encode_frequency(features, complex_features)
        tokens, skips = self.time_encoder(audio)
        tokens = self._transform(tokens)
        if self.fusion is not None:
            tokens, _ = self.fusion(grid, tokens)
        stems = self.time_decoder(tokens, skips).unflatten(1, (len(self.sources), -1))
        return stems, grid, tokens

    def _encode_frequency(self, features: list[Tensor], complex_features: Tensor) -> Tensor:
        """The features of all STFTs to `(B, base, bands, frames)`."""
        fused = self.multi_stft_encoder(features)
        complex_grid = self.complex_encoder(complex_features)
        return self.freq_decoder(self.freq_encoder(torch.cat([fused, complex_grid.to(fused.dtype)], dim=1)))

    def _transform(self, tokens: Tensor) -> Tensor:
        """Transformer, and LSTM where there is one, over `(B, dim, N)`."""
        sequence = self.transformer(tokens.transpose(1, 2))
        if self.lstm is not None:
            sequence = sequence + self.lstm(sequence)[0]
        return sequence.transpose(1, 2)


def _build_fusion(config: HTDemucsNConfig) -> nn.Module | None:
    sizes = (
        config.resunet_base_channels,
        config.bands,
        config.transformer_dim,
        config.freq_projection_layers,
    )
    if config.fusion_method == "intelligent":
        return LearnedFusion(*sizes, adaptive=config.adaptive_fusion)
    if config.fusion_method == "add":
        return AdditiveFusion(*sizes)
    return None
