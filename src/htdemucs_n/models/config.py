"""Every size and switch of HTDemucs_n, and those that all networks have: the config is the whole constructor."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from htdemucs_n.errors import ConfigError
from htdemucs_n.models.kinds import check_choice, check_keys, check_names

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


def check_zones(zones: Sequence[Sequence[int]], n_ffts: Sequence[int]) -> None:
    """Raise `UserError` unless the bands cover the spectrum in whole bins of every STFT of `n_ffts`."""
    for n_fft in n_ffts:
        if n_fft not in (512, 1024, 2048, 4096):
            raise ConfigError(f"an STFT (config keys 'n_ffts', 'mask_n_fft') has {n_fft}: use 512, 1024, 2048 or 4096")
    if not all(len(zone) == 2 and min(zone) > 0 for zone in zones):
        raise ConfigError("config key 'band_zones': give pairs [bands, bins a band]")
    if sum(bands * bins for bands, bins in zones) != N_FFT // 2:
        raise ConfigError(f"config key 'band_zones' must cover {N_FFT // 2} bins in all")
    for _, bins in zones:
        if bins % (N_FFT // min(n_ffts)):
            raise ConfigError(
                f"config key 'band_zones': {bins} bins in a band are not a multiple of "
                f"{N_FFT // min(n_ffts)}, one bin of the shortest STFT"
            )


@dataclass(frozen=True)
class NetworkSizes:
    """What the config of every network has: stems, audio, segments, STFTs and the common grid of bands.

    * `n_ffts`: windows of the STFTs that the network reads, hop n_fft / 4.
    * `band_zones`: the grid from low to high, pairs (bands, bins a band), counted in bins of the 4096 STFT (10.8 Hz);
      narrow bands where music keeps its pitches.
    * `mixture_consistency`: spread the mixture's remainder over the stems so that they add up.

    A subclass adds its own keys and checks them in `_check`. Raises `ConfigError` for values that cannot be built.
    """

    from_zero: ClassVar[tuple[str, ...]] = ("overlap",)
    """Numbers that may be 0; all others must be above it."""

    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals")
    audio_channels: int = 2
    samplerate: int = 44100
    segment: float = 7.8
    overlap: float = 0.25
    use_train_segment: bool = True
    n_ffts: tuple[int, ...] = (N_FFT,)
    band_zones: tuple[tuple[int, int], ...] = ((64, 8), (48, 32))
    mixture_consistency: bool = True

    def __post_init__(self) -> None:
        check_keys(self, self.from_zero)
        # YAML and JSON bring lists; the config stays hashable and immutable.
        object.__setattr__(self, "sources", tuple(self.sources))
        object.__setattr__(self, "n_ffts", tuple(self.n_ffts))
        object.__setattr__(self, "band_zones", tuple(tuple(zone) for zone in self.band_zones))
        self._check()

    def _check(self) -> None:
        check_zones(self.band_zones, self.n_ffts)

    @property
    def bands(self) -> int:
        """Bands of the common grid."""
        return sum(bands for bands, _ in self.band_zones)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from a mapping; an unknown key raises `ConfigError` with the nearest right name."""
        check_names(values, [field.name for field in dataclasses.fields(cls)])
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types (tuples become lists when written)."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class HTDemucsNConfig(NetworkSizes):
    """Sizes and switches of the hybrid network.

    Most keys and defaults are the design document's. These are ours:

    * `transformer_dim`: width of the tokens.
    * `attention`: `linear`, or `softmax` over all pairs of tokens to compare it with.
    * `time_encoder_blocks`, `time_decoder_blocks`: residual blocks a level of the time branch.
    * `spectral_head`: how the frequency branch writes spectra: bounded complex `mask`, `softmax`
      magnitude mask with a bounded imaginary part, complex `mapping`, or `none` (time only).
    """

    from_zero: ClassVar[tuple[str, ...]] = ("overlap", "lstm_layers", "time_encoder_blocks", "time_decoder_blocks")

    n_ffts: tuple[int, ...] = (512, 1024, 2048, 4096)
    stft_fusion_method: str = "attention"
    multi_stft_channels: int = 64

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

    def _check(self) -> None:
        for key, allowed in _CHOICES.items():
            check_choice(key, getattr(self, key), allowed)
        super()._check()
        if self.bands % self.frame_multiple:
            raise ConfigError(f"config key 'band_zones': {self.bands} bands don't halve {self.resunet_depth - 1} times")
        if self.spectral_head == "none" and self.fusion_method == "none":
            raise ConfigError("config: 'spectral_head: none' needs a fusion, or the frequency branch has no effect")

    @property
    def frame_multiple(self) -> int:
        """The number of frames must be a multiple of this for the U-Net to halve and double them."""
        return int(2 ** (self.resunet_depth - 1))
