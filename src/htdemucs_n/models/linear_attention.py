"""Idea 3, linear attention: a transformer whose cost grows with the length of the song, not its square.

Softmax attention weighs value j for query i by exp(q_i . k_j): N^2 numbers. With a kernel that factors,
phi(q_i) . phi(k_j), the sum over j is shared by all queries:

    out_i = phi(q_i) [sum_j phi(k_j)^T v_j] / (phi(q_i) . sum_j phi(k_j)),      phi(x) = elu(x) + 1

A head keeps one d x d matrix, however long the sequence. Source: Katharopoulos et al., 2020, eq. 4 to 7.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def elu_feature_map(x: Tensor) -> Tensor:
    """phi(x) = elu(x) + 1, positive everywhere; any shape."""
    return F.elu(x).add_(1)


class LinearAttention(nn.Module):
    """Multi-head attention with the kernel elu(x) + 1; never an N x N matrix.

    Shape: `(B, N, dim)` -> `(B, N, dim)`.
    """

    def __init__(self, dim: int, heads: int = 8, dim_head: int = 64) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, 3 * heads * dim_head, bias=False)
        self.to_out = nn.Linear(heads * dim_head, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the N tokens of `(B, N, dim)`."""
        q, k, v = self.to_qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each (B, heads, N, d)
        return self.to_out(self.attend(q, k, v).transpose(1, 2).flatten(-2))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Queries, keys and values `(B, heads, N, d)` -> the weighted values, float32."""
        with torch.autocast(q.device.type, enabled=False):
            # Sums over thousands of tokens lose their tail in half precision.
            # In one block of memory a head's tokens are read in order, which halves the time.
            dtype = torch.float32 if q.dtype in (torch.bfloat16, torch.float16) else q.dtype
            q, k, v = (t.to(dtype, memory_format=torch.contiguous_format) for t in (q, k, v))
            q, k, tokens = elu_feature_map(q), elu_feature_map(k), k.shape[-2]
            summary = k.transpose(-2, -1) @ v / tokens  # (B, heads, d, d)
            normaliser = q @ (k.sum(dim=-2).unsqueeze(-1) / tokens)  # (B, heads, N, 1)
            return (q @ summary) / (normaliser + 1e-12)


class SoftmaxAttention(LinearAttention):
    """The plain form, for comparison: softmax(q . k / sqrt(d)) over all pairs, N^2 of them (Vaswani et al., 2017).

    Shape and parameters are those of `LinearAttention`.
    """

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Queries, keys and values `(B, heads, N, d)` -> the weighted values."""
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
