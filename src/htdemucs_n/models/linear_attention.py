"""Idea 3, linear attention: a transformer whose cost grows with the length of the song, not its square.

Softmax attention weighs value j for query i by exp(q_i . k_j): N^2 numbers. With a kernel that factors,
phi(q_i) . phi(k_j), the sum over j is shared by all queries:

    out_i = phi(q_i) [sum_j phi(k_j)^T v_j] / (phi(q_i) . sum_j phi(k_j)),      phi(x) = elu(x) + 1

A head keeps one d x d matrix, however long the sequence. Source: Katharopoulos et al., 2020, eq. 4 to 7.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def elu_feature_map(x: Tensor) -> Tensor:
    """phi(x) = elu(x) + 1, positive everywhere; any shape."""
    if torch.is_grad_enabled() and x.requires_grad and not torch.onnx.is_in_onnx_export():
        mapped: Tensor = _EluFeatureMap.apply(x)
        return mapped
    return _exp_below_zero(x)


def _exp_below_zero(x: Tensor) -> Tensor:
    """elu(x) + 1 without the 1 that elu takes away: in half precision small values would be lost between the two."""
    return F.relu(x) + x.clamp(max=0).exp()


class _EluFeatureMap(torch.autograd.Function):
    """`elu_feature_map` with a gradient that needs no exponential: phi'(x) = min(phi(x), 1)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """phi(x), any shape."""
        mapped = _exp_below_zero(x)
        ctx.save_for_backward(mapped)
        return mapped

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """The gradient of x, of the same shape."""
        (mapped,) = ctx.saved_tensors
        return grad * mapped.clamp(max=1)


class LinearAttention(nn.Module):
    """Multi-head attention with the kernel elu(x) + 1; never an N x N matrix.

    Heads that are narrower than 64 channels are computed side by side, as many as fit into 64: one product with a
    matrix in which the entries between different heads are 0 is faster than many products with small ones.

    Shape: `(B, N, dim)` -> `(B, N, dim)`.
    """

    group_width = 64
    """Channels of the heads that are computed side by side."""

    same_head: Tensor
    """Whether two channels of a group are of one head, `(w, w)`."""

    def __init__(self, dim: int, heads: int = 8, dim_head: int = 64) -> None:
        super().__init__()
        self.heads = heads
        alike = max(
            n for n in range(1, heads + 1) if heads % n == 0 and n * dim_head <= max(self.group_width, dim_head)
        )
        self.groups = heads // alike
        head = torch.arange(alike * dim_head) // dim_head
        self.register_buffer("same_head", head.unsqueeze(1) == head, persistent=False)
        self.to_qkv = nn.Linear(dim, 3 * heads * dim_head, bias=False)
        self.to_out = nn.Linear(heads * dim_head, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the N tokens of `(B, N, dim)`."""
        q, k, v = (F.linear(x, weight) for weight in self.to_qkv.weight.unflatten(0, (3, -1)))  # each (B, N, heads * d)
        if self.groups == 1:
            return self.to_out(self.attend(q, k, v))
        q, k, v = (t.unflatten(-1, (self.groups, -1)).transpose(1, 2) for t in (q, k, v))  # each (B, groups, N, w)
        return self.to_out(self.attend(q, k, v).transpose(1, 2).flatten(-2))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Queries, keys and values of a group of heads `(..., N, w)` -> the weighted values, float32 for float16."""
        with torch.autocast(q.device.type, enabled=False):
            # The range of float16 does not hold sums over thousands of tokens. bfloat16 has the range of float32, and
            # its products and sums are added up in float32.
            # In one block of memory a group's tokens are read in order, which halves the time.
            dtype = torch.float32 if q.dtype == torch.float16 else q.dtype
            q, k, v = (t.to(dtype, memory_format=torch.contiguous_format) for t in (q, k, v))
            q, k, tokens = elu_feature_map(q), elu_feature_map(k), k.shape[-2]
            summary = k.transpose(-2, -1) @ v / tokens  # (..., w, w)
            total = k.sum(dim=-2).unsqueeze(-1) / tokens  # (..., w, 1)
            if self.groups < self.heads:
                summary, total = summary * self.same_head, total * self.same_head  # both (..., w, w)
            return (q @ summary) / (q @ total + 1e-12)


class SoftmaxAttention(LinearAttention):
    """The plain form, for comparison: softmax(q . k / sqrt(d)) over all pairs, N^2 of them (Vaswani et al., 2017).

    Shape and parameters are those of `LinearAttention`.
    """

    group_width = 0

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Queries, keys and values of a head `(..., N, d)` -> the weighted values."""
        return F.scaled_dot_product_attention(q, k, v)


ATTENTION = {"linear": LinearAttention, "softmax": SoftmaxAttention}


class LinearTransformerBlock(nn.Module):
    """Pre-norm attention, `linear` or `softmax`, and pre-norm GELU feed-forward, both residual.

    Shape: `(B, N, dim)` -> `(B, N, dim)`.
    """

    def __init__(
        self, dim: int, heads: int = 8, dim_head: int = 64, ff_mult: int = 4, attention: str = "linear"
    ) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(dim), ATTENTION[attention](dim, heads, dim_head))
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, ff_mult * dim), nn.GELU(), nn.Linear(ff_mult * dim, dim)
        )

    def forward(self, x: Tensor) -> Tensor:
        """One block over `(B, N, dim)`."""
        x = x + self.attention(x)
        return x + self.feed_forward(x)


class LinearTransformerEncoder(nn.Module):
    """Positional information and `depth` blocks, then a LayerNorm.

    Positions come from a depthwise convolution over the tokens (Chu et al., 2021): it gives each token the place of its
    neighbours, has no table of limited length, and depends on no length but that of the sequence it gets, so a
    model trained on crops of seconds takes 16,000 tokens (6 minutes) and more with no jump anywhere.

    Shape: `(B, N, dim)` -> `(B, N, dim)`, any N >= 1.
    """

    def __init__(
        self,
        dim: int,
        depth: int = 5,
        heads: int = 8,
        dim_head: int = 64,
        ff_mult: int = 4,
        attention: str = "linear",
    ) -> None:
        super().__init__()
        self.position = nn.Conv1d(dim, dim, 31, padding=15, groups=dim)
        self.blocks = nn.Sequential(
            *(LinearTransformerBlock(dim, heads, dim_head, ff_mult, attention) for _ in range(depth))
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Encode tokens `(B, N, dim)`."""
        x = x + self.position(x.transpose(1, 2)).transpose(1, 2)
        return self.norm(self.blocks(x))
