"""Every size and switch of HTDemucs_n: the config is the whole constructor."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from htdemucs_n.errors import UserError, suggestion
from htdemucs_n.models.kinds import check_kind

HOP = 1024
"""Samples a frame of the common grid, a transformer token and a hop of the output STFT last."""

N_FFT = 4096
"""Window of the STFT that the spectral head writes, samples; the band layout counts its bins."""

_CHOICES = {
    "stft_fusion_method": ("attention", "concat", "add"),
    "attention": ("linear", "softmax"),
    "fusion_method": ("intelligent", "add", "none"),
    "spectral_head": ("mask", "softmax", "mapping", "none"),
}

_FROM_ZERO = ("overlap", "lstm_layers", "time_encoder_blocks", "time_decoder_blocks")
"""Numbers that may be 0; all others must be above it."""


@dataclass(frozen=True)
class HTDemucsNConfig:
    """Sizes and switches of the model.

    The keys and defaults up to `sources` are the design document's. The others are ours:

    * `band_zones`: the common frequency grid from low to high, pairs (bands, bins a band), counted
      in bins of the 4096 STFT (10.8 Hz); narrow bands where music keeps its pitches.
    * `transformer_dim`: width of the tokens.
    * `attention`: `linear`, or `softmax` over all pairs of tokens to compare it with.
    * `time_encoder_blocks`, `time_decoder_blocks`: residual blocks a level of the time branch.
    * `spectral_head`: how the frequency branch writes spectra: bounded complex `mask`, `softmax`
      magnitude mask with a bounded imaginary part, complex `mapping`, or `none` (time only).
    * `mixture_consistency`: spread the mixture's remainder over the stems so that they add up.

    Raises `UserError` for values that cannot be built.
    """

    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals")
    audio_channels: int = 2
    samplerate: int = 44100
    segment: float = 7.8
    overlap: float = 0.25
    use_train_segment: bool = True

    n_ffts: tuple[int, ...] = (512, 1024, 2048, 4096)
    stft_fusion_method: str = "attention"
    multi_stft_channels: int = 64
    band_zones: tuple[tuple[int, int], ...] = ((64, 8), (48, 32))

    resunet_base_channels: int = 64
    resunet_depth: int = 4
    resunet_use_se: bool = True
    resunet_use_attention: bool = True
    resunet_se_reduction: int = 16

    channels: int = 48
    depth: int = 4
    growth: float = 2
    time_encoder_blocks: int = 4
    time_decoder_blocks: int = 3

    transformer_dim: int = 512
    attention: str = "linear"
    linear_attn_layers: int = 5
    linear_attn_heads: int = 8
    linear_attn_dim_head: int = 64
    linear_attn_ff_mult: int = 4
    lstm_layers: int = 0

    fusion_method: str = "intelligent"
    freq_projection_layers: int = 2
    adaptive_fusion: bool = True

    spectral_head: str = "mask"
    mixture_consistency: bool = True

    def __post_init__(self) -> None:
        self._check_kinds()
        # YAML and JSON bring lists; the config stays hashable and immutable.
        object.__setattr__(self, "sources", tuple(self.sources))
        object.__setattr__(self, "n_ffts", tuple(self.n_ffts))
        object.__setattr__(self, "band_zones", tuple((n, k) for n, k in self.band_zones))
        self._check()

    def _check_kinds(self) -> None:
        """A number where a number belongs, a list where a list does; numbers in their range."""
        for key, kind in typing.get_type_hints(type(self)).items():
            value = getattr(self, key)
            if kind is not str:  # words have a choice each, which says more
                check_kind(key, value, kind)
            if kind in (int, float) and (value < 0 or (value == 0 and key not in _FROM_ZERO)):
                lowest = "0 or more" if key in _FROM_ZERO else "a number above 0"
                raise UserError(f"config key '{key}' is '{value}': give {lowest}")
            if isinstance(value, list | tuple) and not value:
                raise UserError(f"config key '{key}' is '{value}': give a list of one or more")
        if not all(len(zone) == 2 and min(zone) > 0 for zone in self.band_zones):
            raise UserError("config key 'band_zones': give pairs [bands, bins a band]")

    def _check(self) -> None:
        for key, allowed in _CHOICES.items():
            value = getattr(self, key)
            if value not in allowed:
                raise UserError(f"config key '{key}' is '{value}': use one of {', '.join(allowed)}")
        for n_fft in self.n_ffts:
            if n_fft not in (512, 1024, 2048, 4096):
                raise UserError(f"config key 'n_ffts' holds {n_fft}: use 512, 1024, 2048 or 4096")
        if sum(bands * bins for bands, bins in self.band_zones) != N_FFT // 2:
            raise UserError(f"config key 'band_zones' must cover {N_FFT // 2} bins in all")
        for _, bins in self.band_zones:
            if bins % (N_FFT // min(self.n_ffts)):
                raise UserError(
                    f"config key 'band_zones': {bins} bins a band is no multiple of "
                    f"{N_FFT // min(self.n_ffts)}, one bin of the shortest STFT"
                )
        if self.bands % self.frame_multiple:
            raise UserError(f"config key 'band_zones': {self.bands} bands don't halve {self.resunet_depth - 1} times")
        if self.spectral_head == "none" and self.fusion_method == "none":
            raise UserError("config: 'spectral_head: none' needs a fusion, or the frequency branch is unheard")

    @property
    def bands(self) -> int:
        """Bands of the common grid."""
        return sum(bands for bands, _ in self.band_zones)

    @property
    def frame_multiple(self) -> int:
        """The number of frames must be a multiple of this for the U-Net to halve and double them."""
        return int(2 ** (self.resunet_depth - 1))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HTDemucsNConfig:
        """Build from a mapping; an unknown key raises `UserError` with the nearest right name."""
        known = [field.name for field in dataclasses.fields(cls)]
        for key in values:
            if key not in known:
                raise UserError(f"unknown model config key '{key}': {suggestion(str(key), known)}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types (tuples become lists when written)."""
        return dataclasses.asdict(self)
