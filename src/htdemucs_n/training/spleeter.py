"""Spleeter's two-stem network (Hennequin et al., 2020) as a teacher for the vocals of a mixture.

Two U-Nets of one shape read the magnitudes of the mixture, one for the voice and one for the rest. Their estimates v
and a make a ratio mask, vocals = mixture * v^2 / (v^2 + a^2 + 1e-10). The network reads 1,024 of 2,049 bins, so its
vocals hold nothing above 11 kHz.

`scripts/convert_spleeter.py` writes the weights that `SpleeterTeacher.load` reads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from htdemucs_n.errors import ModelError
from htdemucs_n.models.storage import load_tensors

BANDWIDTH = 1024 / 4096 * 44100
"""The vocals end at this frequency, Hz."""

_N_FFT, _HOP, _BINS, _FRAMES = 4096, 1024, 1024, 512
_WIDTHS = (16, 32, 64, 128, 256, 512)


class SpleeterUNet(nn.Module):
    """Magnitudes of the mixture to magnitudes of one stem.

    The order of layers is Spleeter's: a skip is taken before batch norm, and batch norm follows ReLU on the way up.

    Shape: `(B, C, frames, 1024)` -> the same; frames a multiple of 64.
    """

    def __init__(self, widths: tuple[int, ...] = _WIDTHS, channels: int = 2) -> None:
        super().__init__()
        below = (channels, *widths[:-1])
        up_in = (widths[-1], *(2 * width for width in reversed(widths[:-1])))
        up_out = (*reversed(widths[:-1]), 1)
        self.down = nn.ModuleList(nn.Conv2d(i, o, 5, stride=2) for i, o in zip(below, widths, strict=True))
        self.down_norm = nn.ModuleList(nn.BatchNorm2d(width, eps=1e-3) for width in widths)
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 5, stride=2) for i, o in zip(up_in, up_out, strict=True))
        self.up_norm = nn.ModuleList(nn.BatchNorm2d(width, eps=1e-3) for width in up_out)
        self.last = nn.Conv2d(1, channels, 4, dilation=2, padding=3)

    def forward(self, magnitude: Tensor) -> Tensor:
        """Estimate the stem's magnitudes `(B, C, frames, 1024)`."""
        x, skips = magnitude, []
        for convolution, norm in zip(self.down, self.down_norm, strict=True):
            skips.append(convolution(F.pad(x, (1, 2, 1, 2))))
            x = F.leaky_relu(norm(skips[-1]), 0.2)
        x = skips.pop()
        for convolution, norm in zip(self.up, self.up_norm, strict=True):
            # A transposed convolution of 5 and stride 2 gives 3 rows and columns too many.
            x = norm(F.relu(convolution(x)[:, :, 1:-2, 1:-2]))
            if skips:
                x = torch.cat([skips.pop(), x], dim=1)
        mask: Tensor = torch.sigmoid(self.last(x))
        return mask * magnitude


class SpleeterTeacher(nn.Module):
    """Stereo audio at 44.1 kHz to its vocals: `(C, T)` -> `(C, T)`."""

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.vocals = SpleeterUNet()
        self.rest = SpleeterUNet()
        self.register_buffer("window", torch.hann_window(_N_FFT), persistent=False)

    @classmethod
    def load(cls, path: Path) -> SpleeterTeacher:
        """The teacher with the weights of `path`, in evaluation mode.

        Raises:
            UserError: `path` is missing or is not what `scripts/convert_spleeter.py` writes.
        """
        return cls.from_tensors(load_tensors(path)[0], path)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], path: Path) -> SpleeterTeacher:
        """The teacher with the weights `tensors`, in evaluation mode.

        Raises:
            UserError: they are not those of this network, or not finite. It names `path`, the file they come from.
        """
        teacher = cls()
        own = teacher.state_dict()
        for name in sorted({*own, *tensors}):
            if not _fits(name, tensors.get(name), own.get(name)):
                raise ModelError(
                    f"{path} does not hold Spleeter's weights ({name} is missing or unknown, of another shape, or not "
                    "finite numbers): download them again and convert them with scripts/convert_spleeter.py"
                )
        teacher.load_state_dict(dict(tensors))
        return teacher.eval()

    @torch.inference_mode()
    def forward(self, mixture: Tensor) -> Tensor:
        """The vocals `(C, T)` of `(C, T)`."""
        spectrum = torch.stft(
            mixture, _N_FFT, _HOP, window=self.window, center=True, pad_mode="constant", return_complex=True
        )  # (C, 2049, frames)
        frames = spectrum.shape[-1]
        magnitude = F.pad(spectrum[:, :_BINS].abs(), (0, -frames % _FRAMES))
        pieces = magnitude.unflatten(-1, (-1, _FRAMES)).permute(2, 0, 3, 1)  # (pieces, C, 512, 1024)
        mask = torch.cat([self._mask(piece[None]) for piece in pieces])
        mask = mask.permute(1, 3, 0, 2).flatten(2)[..., :frames]  # (C, 1024, frames)
        vocals = F.pad(spectrum[:, :_BINS] * mask, (0, 0, 0, spectrum.shape[1] - _BINS))
        return torch.istft(vocals, _N_FFT, _HOP, window=self.window, center=True, length=mixture.shape[-1])

    def _mask(self, magnitude: Tensor) -> Tensor:
        """The share of the vocals in `(1, C, 512, 1024)`."""
        vocals, rest = self.vocals(magnitude).square(), self.rest(magnitude).square()
        share: Tensor = vocals / (vocals + rest + 1e-10)
        return share


def _fits(name: str, tensor: Tensor | None, own: Tensor | None) -> bool:
    """Whether a tensor can take the place of the network's `own`: finite numbers, none of them a negative variance."""
    if tensor is None or own is None or tensor.shape != own.shape:
        return False
    if tensor.is_floating_point() != own.is_floating_point():
        return False
    numbers = tensor.float()  # as they are used: a number of 64 bits may be infinite in 32
    lowest = 0.0 if name.endswith("running_var") else -math.inf
    return bool((numbers.isfinite() & (numbers >= lowest)).all())
