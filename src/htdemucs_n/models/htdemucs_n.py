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
import torch.nn.functional as F
from torch import Tensor, nn

from htdemucs_n.models.bands import BandSplit
from htdemucs_n.models.config import HOP, N_FFT, HTDemucsNConfig
from htdemucs_n.models.fusion import AdditiveFusion, LearnedFusion
from htdemucs_n.models.linear_attention import LinearTransformerEncoder
from htdemucs_n.models.multi_resolution_stft import MultiResolutionEncoder, MultiResolutionSTFT
from htdemucs_n.models.resunet_plus import ResUNetPlusDecoder, ResUNetPlusEncoder
from htdemucs_n.models.spectral_head import SpectralHead
from htdemucs_n.models.stft import STFT, compressed
from htdemucs_n.models.time_branch import TimeDecoder, TimeEncoder, level_strides


class HTDemucs_n(nn.Module):
    """The separator. Built from a config, from keywords of `HTDemucsNConfig`, or from both.

    Shape: mixture `(B, C, T)` -> stems `(B, S, C, T)`, any T >= 1; S in the order of `sources`.

    Every item is scaled to an RMS of 1 and back, so its loudness does not matter until the RMS nears 1e-5.
    In evaluation with `use_train_segment`, input shorter than the training segment is padded to it and trimmed back.
    """

    def __init__(self, config: HTDemucsNConfig | None = None, **keys: Any) -> None:
        super().__init__()
        config = dataclasses.replace(config or HTDemucsNConfig(), **keys)
        self.config = config
        self.sources = config.sources
        self.audio_channels = config.audio_channels
        self.samplerate = config.samplerate
        self.segment = config.segment
        self.overlap = config.overlap
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

    def forward(self, mixture: Tensor) -> Tensor:
        """Separate `(B, C, T)` into `(B, S, C, T)`."""
        length = mixture.shape[-1]
        audio = F.pad(mixture, (0, self._padded_length(length) - length))
        scale = audio.square().mean(dim=(1, 2), keepdim=True).sqrt() + 1e-5  # (B, 1, 1)
        audio = audio / scale

        spectrum = self.stft(audio)  # (B, C, 2048, frames)
        grid = self._encode_frequency(audio, spectrum)  # (B, base, bands, frames)
        tokens, skips = self.time_encoder(audio)  # (B, dim, frames)
        tokens = self._transform(tokens)
        if self.fusion is not None:
            tokens, _ = self.fusion(grid, tokens)
        stems = self.time_decoder(tokens, skips).unflatten(1, (len(self.sources), -1))  # (B, S, C, T)
        if self.spectral_head is not None:
            stems = stems + self.spectral_head.waveforms(grid, tokens, spectrum, self.stft)
        if self.config.mixture_consistency:
            stems = stems + (audio.unsqueeze(1) - stems.sum(dim=1, keepdim=True)) / len(self.sources)
        return stems[..., :length] * scale.unsqueeze(1)

    def _encode_frequency(self, audio: Tensor, spectrum: Tensor) -> Tensor:
        """Audio `(B, C, T)` and its 4096 spectrum `(B, C, 2048, frames)` to `(B, base, bands, frames)`."""
        fused = self.multi_stft_encoder(self.multi_stft(audio))
        complex_grid = self.complex_encoder(compressed(spectrum))
        return self.freq_decoder(self.freq_encoder(torch.cat([fused, complex_grid.to(fused.dtype)], dim=1)))

    def _transform(self, tokens: Tensor) -> Tensor:
        """The long view over `(B, dim, N)`."""
        sequence = self.transformer(tokens.transpose(1, 2))
        if self.lstm is not None:
            sequence = sequence + self.lstm(sequence)[0]
        return sequence.transpose(1, 2)

    def _padded_length(self, length: int) -> int:
        """The shortest length in samples, not below `length`, that every stride divides."""
        if not self.training and self.config.use_train_segment:
            length = max(length, round(self.segment * self.samplerate))
        multiple = HOP * self.config.frame_multiple
        return -(-length // multiple) * multiple


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
