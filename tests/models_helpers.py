"""What several tests of the model share: a tiny model, a known one, and layers written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audio_helpers import GAINS, SOURCES
from htdemucs_n.models.config import HTDemucsNConfig
from htdemucs_n.models.htdemucs_n import HTDemucs_n

Array = NDArray[np.float64]

TINY: dict[str, Any] = {
    "band_zones": ((16, 8), (8, 240)),
    "multi_stft_channels": 8,
    "resunet_base_channels": 8,
    "resunet_se_reduction": 2,
    "channels": 4,
    "transformer_dim": 16,
    "linear_attn_layers": 1,
    "linear_attn_heads": 2,
    "linear_attn_dim_head": 8,
    "time_encoder_blocks": 1,
    "time_decoder_blocks": 1,
    "segment": 0.5,
}
"""Every part of the model at a size that runs in milliseconds; one segment is 3 times 8192 samples."""


def tiny_model(seed: int = 0, **keys: Any) -> HTDemucs_n:
    """A tiny model, in training mode, with the random weights of `seed`."""
    torch.manual_seed(seed)
    return HTDemucs_n(HTDemucsNConfig(**{**TINY, **keys}))


class SplitNetwork(nn.Module):
    """A network whose stems are known: each is the mixture times its gain. With gains of sum 1 they add up."""

    def __init__(self, gains: tuple[float, ...] = GAINS, segment: float = 0.1) -> None:
        super().__init__()
        self.sources = SOURCES
        self.samplerate = 44100
        self.segment = segment
        self.overlap = 0.25
        self.register_buffer("gains", torch.tensor(gains).view(-1, 1, 1))

    def forward(self, mixture: Tensor) -> Tensor:
        return mixture[:, None] * self.get_buffer("gains")


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """White noise of RMS 1."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def randomise_batch_norm(module: nn.Module, seed: int = 0) -> None:
    """Give every batch norm statistics and an affine map that are not the defaults."""
    generator = torch.Generator().manual_seed(seed)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor, low, high in (
                (norm.running_mean, -0.5, 0.5),
                (norm.running_var, 0.5, 2.0),
                (norm.weight.data, 0.5, 1.5),
                (norm.bias.data, -0.5, 0.5),
            ):
                assert tensor is not None
                tensor.uniform_(low, high, generator=generator)


def array(tensor: Tensor) -> Array:
    """A tensor as float64 NumPy."""
    return tensor.detach().double().numpy()


def numpy_conv2d(
    x: Array, weight: Array, bias: Array | None, stride: tuple[int, int], padding: tuple[int, int]
) -> Array:
    """Cross-correlation of `(B, C, H, W)` with `(O, C, kh, kw)`, one output position at a time."""
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    height = (x.shape[2] - weight.shape[2]) // stride[0] + 1
    width = (x.shape[3] - weight.shape[3]) // stride[1] + 1
    out = np.zeros((x.shape[0], weight.shape[0], height, width))
    for i in range(height):
        for j in range(width):
            top, left = i * stride[0], j * stride[1]
            patch = x[:, :, top : top + weight.shape[2], left : left + weight.shape[3]]
            out[:, :, i, j] = np.einsum("bchw,ochw->bo", patch, weight)
    return out if bias is None else out + bias[:, None, None]


def numpy_layer(layer: nn.Module, x: Array) -> Array:
    """A conv, batch norm (either mode), linear, ReLU, sigmoid or tanh, or a sequence of them, in float64."""
    if isinstance(layer, nn.Sequential):
        for part in layer:
            x = numpy_layer(part, x)
        return x
    if isinstance(layer, nn.Conv1d):
        weight, bias = array(layer.weight)[:, :, None], _bias(layer)
        return numpy_conv2d(x[:, :, None], weight, bias, (1, layer.stride[0]), (0, int(layer.padding[0])))[:, :, 0]
    if isinstance(layer, nn.Conv2d):
        pads = (int(layer.padding[0]), int(layer.padding[1]))
        return numpy_conv2d(x, array(layer.weight), _bias(layer), (layer.stride[0], layer.stride[1]), pads)
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        return _numpy_batch_norm(layer, x)
    if isinstance(layer, nn.Linear):
        out = x @ array(layer.weight).T
        return out if layer.bias is None else out + array(layer.bias)
    if isinstance(layer, nn.ReLU):
        return np.maximum(x, 0)
    if isinstance(layer, nn.Sigmoid):
        return 1 / (1 + np.exp(-x))
    if isinstance(layer, nn.Tanh):
        return np.tanh(x)
    raise TypeError(f"no NumPy form of {type(layer).__name__}")


def _bias(layer: nn.Conv1d | nn.Conv2d) -> Array | None:
    return None if layer.bias is None else array(layer.bias)


def _numpy_batch_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d, x: Array) -> Array:
    axes = (0, *range(2, x.ndim))
    if norm.training:
        mean, variance = x.mean(axis=axes), x.var(axis=axes)
    else:
        assert norm.running_mean is not None and norm.running_var is not None
        mean, variance = array(norm.running_mean), array(norm.running_var)
    scale = array(norm.weight) / np.sqrt(variance + norm.eps)
    wide = (slice(None), *[None] * (x.ndim - 2))
    return (x - mean[wide]) * scale[wide] + array(norm.bias)[wide]
