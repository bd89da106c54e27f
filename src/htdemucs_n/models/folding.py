"""Batch norm folded into the convolution before it: the same function in fewer passes over memory.

In evaluation a batch norm is an affine map a channel, y = g (x - m) / sqrt(v + eps) + b, and so is a
convolution's last step: the scale goes into its weights, the shift into its bias.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Module = TypeVar("Module", bound=nn.Module)


def fold_batch_norm(model: Module, in_place: bool = False) -> Module:
    """`model`, or a copy of it, for evaluation: every conv-BN pair of an `nn.Sequential` is one convolution."""
    model = (model if in_place else copy.deepcopy(model)).eval()
    for module in list(model.modules()):
        if isinstance(module, nn.Sequential):
            _fold_pairs(module)
    return model


def prepare_for_inference(model: Module, in_place: bool = False) -> Module:
    """`fold_batch_norm`, with kernels laid out channels last, which is how CPUs with wide vectors read them.

    In place it needs half the memory; the model can then no longer be trained.
    """
    return fold_batch_norm(model, in_place).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def reduce_weights(model: Module, dtype: torch.dtype) -> Module:
    """Round the weights of convolutions and matrix products to `dtype`, in place, for use under autocast to it.

    Autocast would do the same at every pass, and keep both. What it leaves in float32 stays so: norms, and transposed
    1-d convolutions, the last of which writes the samples.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d):
            module.to(dtype)
    return model


def _fold_pairs(sequence: nn.Sequential) -> None:
    for index in range(len(sequence) - 1):
        conv, norm = sequence[index], sequence[index + 1]
        if isinstance(conv, nn.Conv1d | nn.Conv2d) and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            sequence[index] = fuse_conv_bn_eval(conv, norm)
            sequence[index + 1] = nn.Identity()
