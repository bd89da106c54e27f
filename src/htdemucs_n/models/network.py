"""The common part of all networks: length and level of the input, and the sum of the stems."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from htdemucs_n.models.config import HOP, NetworkSizes


class SeparationNetwork(nn.Module):
    """A separator of `(B, C, T)` into `(B, S, C, T)`, any T >= 1; S in the order of `sources`.

    Every item is scaled to an RMS of 1 and back, so its loudness does not matter until the RMS nears 1e-5.
    In evaluation with `use_train_segment`, input shorter than the training segment is padded to it and trimmed back.
    With `mixture_consistency` the remainder of the mixture is spread over the stems, so that they add up.

    A subclass implements `estimate`.
    """

    frame_multiple = 1
    """The number of frames that `estimate` is given is a multiple of this."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        self.config = sizes
        self.sources = sizes.sources
        self.audio_channels = sizes.audio_channels
        self.samplerate = sizes.samplerate
        self.segment = sizes.segment
        self.overlap = sizes.overlap

    def estimate(self, audio: Tensor) -> Tensor:
        """The stems `(B, S, C, T)` of `(B, C, T)`, T a multiple of 1024 `frame_multiple`, RMS 1; any sum."""
        raise NotImplementedError

    def forward(self, mixture: Tensor) -> Tensor:
        """Separate `(B, C, T)` into `(B, S, C, T)`."""
        length = mixture.shape[-1]
        audio = F.pad(mixture, (0, self._padded_length(length) - length))
        scale = audio.square().mean(dim=(1, 2), keepdim=True).sqrt() + 1e-5  # (B, 1, 1)
        audio = audio / scale
        stems = self.estimate(audio)
        if self.config.mixture_consistency:
            stems = stems + (audio.unsqueeze(1) - stems.sum(dim=1, keepdim=True)) / len(self.sources)
        return stems[..., :length] * scale.unsqueeze(1)

    def _padded_length(self, length: int) -> int:
        """The shortest length in samples, not below `length`, that `estimate` takes."""
        if not self.training and self.config.use_train_segment:
            length = max(length, round(self.segment * self.samplerate))
        multiple = HOP * self.frame_multiple
        return -(-length // multiple) * multiple
