"""Idea 3: linear attention against the N x N form it replaces, its memory, and its positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from htdemucs_n.models.linear_attention import (
    LinearAttention,
    LinearTransformerEncoder,
    SoftmaxAttention,
    elu_feature_map,
)
from models_helpers import Array, array, noise


def explicit_attention(module: LinearAttention, x: Array) -> tuple[Array, Array]:
    """The same kernel written as N x N weights a head, with no epsilon anywhere, float64.

    Returns the output `(B, N, dim)` and the smallest normaliser q . mean(k) that the module divides by.
    """
    q, k, v = np.moveaxis(
        (x @ array(module.to_qkv.weight).T).reshape(*x.shape[:2], 3, module.heads, -1), 2, 0
    )  # each (B, N, heads, d)

    def phi(z: Array) -> Array:
        return np.where(z > 0, z + 1, np.exp(np.minimum(z, 0)))

    weights = np.einsum("bihd,bjhd->bhij", phi(q), phi(k))
    sums = weights.sum(axis=-1, keepdims=True)
    attended = np.einsum("bhij,bjhd->bihd", weights / sums, v).reshape(*x.shape[:2], -1)
    out = attended @ array(module.to_out.weight).T + array(module.to_out.bias)
    return out, (sums / x.shape[1]).min()


def attention(dim: int = 12, heads: int = 3, dim_head: int = 4, seed: int = 0) -> LinearAttention:
    torch.manual_seed(seed)
    return LinearAttention(dim, heads, dim_head).double()


def test_the_feature_map_is_elu_plus_one() -> None:
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    expected = np.where(x > 0, x + 1, np.exp(np.minimum(x.numpy(), 0)))
    np.testing.assert_allclose(elu_feature_map(x).numpy(), expected, atol=1e-15)


def test_the_gradient_of_the_feature_map() -> None:
    x = torch.tensor([-30.0, -3.0, -0.5, 0.5, 3.0, 30.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(elu_feature_map(x).sum(), x)
    np.testing.assert_allclose(gradient.numpy(), np.exp(np.minimum(array(x), 0)), rtol=1e-15)
    assert torch.autograd.gradcheck(elu_feature_map, x)


def test_the_feature_map_keeps_small_values_in_half_precision() -> None:
    """elu(-6) in bfloat16 is -1, or -0.996, and 1 more would be 0 or 0.004."""
    x = torch.tensor([-6.0, -5.0, -4.0], dtype=torch.bfloat16)
    np.testing.assert_allclose(elu_feature_map(x).float().numpy(), np.exp(array(x.float())), rtol=2**-8)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    batch=st.integers(1, 3),
    tokens=st.integers(1, 90),
    heads=st.integers(1, 4),
    scale=st.sampled_from([0.1, 1.0, 3.0]),
)
def test_equals_the_n_by_n_form(seed: int, batch: int, tokens: int, heads: int, scale: float) -> None:
    """To 1e-10 of the explicit form without an epsilon.

    The module adds 1e-12 to its normaliser q . mean(k), so it is smaller than the truth by a factor
    1 - 1e-12 / normaliser: below 1e-10 as long as the normaliser is above 0.01. Here it is.
    """
    module = attention(heads=heads, seed=seed)
    x = scale * noise(batch, tokens, 12, seed=seed, dtype=torch.float64)
    expected, normaliser = explicit_attention(module, array(x))
    assert normaliser > 0.01
    np.testing.assert_allclose(array(module(x)), expected, atol=1e-10, rtol=1e-10)


def test_the_epsilon_costs_what_it_must_where_keys_vanish() -> None:
    """All keys very negative: the normaliser n nears the 1e-12 added to it and attention fades by n / (n + 1e-12)."""
    module = attention(dim=4, heads=1, dim_head=4)
    with torch.no_grad():
        module.to_qkv.weight.zero_()
        module.to_qkv.weight[4:8, 0] = -1  # keys: minus the first input
        module.to_qkv.weight[8:, 1] = 1  # values: the second input
        module.to_out.weight.copy_(torch.eye(4))
        module.to_out.bias.zero_()
    for depth in (0.0, 5.0, 25.0, 50.0):
        x = torch.tensor([[depth, 1.0, 0.0, 0.0]], dtype=torch.float64).expand(1, 6, 4)
        normaliser = 4 * np.exp(-depth)  # phi(0) = 1 for each of four query channels
        expected = normaliser / (normaliser + 1e-12)
        np.testing.assert_allclose(array(module(x)), expected, rtol=1e-12)
    # In float32 exp(-200) rounds to exactly 0: the answer is 0 and not 0 / 0.
    x = torch.tensor([[200.0, 1.0, 0.0, 0.0]]).expand(1, 6, 4)
    assert not module.float()(x).any()


class Allocations(TorchDispatchMode):
    """Sizes in bytes of the storages that operations return: the largest, and all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0
        self.total = 0
        self.dtypes: dict[str, set[torch.dtype]] = {}
        self._seen: list[torch.UntypedStorage] = []  # kept alive: an address is not given out twice

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.dtypes.setdefault(func.overloadpacket.__name__, set()).add(out.dtype)
            storage = out.untyped_storage()
            if all(storage.data_ptr() != other.data_ptr() for other in self._seen):
                self._seen.append(storage)
                self.largest = max(self.largest, storage.nbytes())
                self.total += storage.nbytes()
        return out


def allocations(run: Callable[[], Any]) -> Allocations:
    with Allocations() as recorded:
        run()
    return recorded


@pytest.mark.parametrize("backward", [False, True])
def test_memory_grows_linearly_to_16000_tokens(backward: bool) -> None:
    torch.manual_seed(0)
    encoder = LinearTransformerEncoder(8, depth=1, heads=2, dim_head=4)

    def run(tokens: int) -> Allocations:
        x = noise(1, tokens, 8)
        with torch.set_grad_enabled(backward):
            return allocations(lambda: encoder(x).sum().backward() if backward else encoder(x))

    quarter, half, full = (run(tokens) for tokens in (4000, 8000, 16000))
    assert full.largest == 4 * 32 * 16000, "the widest tensor is the feed-forward's, 4 x dim floats a token"
    assert full.largest == 2 * half.largest == 4 * quarter.largest
    # All that is ever allocated is a constant (gradients of the weights) plus so much a token.
    assert full.total - half.total == pytest.approx(2 * (half.total - quarter.total), rel=1e-3)


@pytest.mark.parametrize("tokens", [30, 1000, 4000])
def test_sums_over_many_tokens_are_as_good_in_mixed_precision(tokens: int) -> None:
    """Sums that were kept in bfloat16 would stop growing after some 256 equal tokens."""
    torch.manual_seed(0)
    module = LinearAttention(16, heads=2, dim_head=8)
    x = noise(1, tokens, 16)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = array(module(x))
    exact = explicit_attention(module.double(), array(x))[0]
    assert float(np.abs(mixed - exact).max()) < 0.02 * float(np.abs(exact).max())


def test_half_precision_is_computed_in_float32() -> None:
    """The sum over 10,000 tokens of 10 is 100,000, and float16 ends at 65,504."""
    keys = torch.full((1, 10_000, 4), 10.0, dtype=torch.float16)
    attended = LinearAttention(4, heads=1, dim_head=4).attend(keys, keys, keys)
    torch.testing.assert_close(attended, torch.full_like(keys, 10.0, dtype=torch.float32), rtol=1e-4, atol=0)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16), tokens=st.integers(2, 40))
def test_attention_itself_does_not_depend_on_the_order(seed: int, tokens: int) -> None:
    """Permuting tokens permutes the output, so all information on the position is from the convolution."""
    module, x = attention(seed=seed), noise(1, tokens, 12, seed=seed, dtype=torch.float64)
    order = torch.randperm(tokens, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(module(x[:, order]), module(x)[:, order])


def test_positions_do_not_jump_at_any_length() -> None:
    """20,000 equal tokens: from 15 tokens inside either end, every position looks exactly like the next."""
    torch.manual_seed(0)
    encoder = LinearTransformerEncoder(8, depth=2, heads=2, dim_head=4).double()
    x = noise(1, 1, 8, dtype=torch.float64).expand(1, 20_000, 8)
    with torch.no_grad():
        y = encoder(x)
    inside = y[:, 15:-15]
    assert float((inside - inside[:, :1]).abs().max()) < 1e-12
    assert float((y[:, 0] - inside[:, 0]).abs().max()) > 1e-3, "the ends differ"


def test_positions_move_with_the_tokens() -> None:
    """Shift-equivariance inside: the position of a token depends on its neighbours, not on its number."""
    torch.manual_seed(0)
    encoder = LinearTransformerEncoder(8, depth=1, heads=2, dim_head=4).double()
    x, shift = noise(1, 9000, 8, dtype=torch.float64).transpose(1, 2), 777
    with torch.no_grad():
        unmoved = encoder.position(x)
        moved = encoder.position(x[..., shift:])
    torch.testing.assert_close(moved[..., 15:-15], unmoved[..., shift + 15 : -15])


def test_order_matters_to_the_encoder() -> None:
    torch.manual_seed(0)
    encoder, x = LinearTransformerEncoder(8, depth=1, heads=2, dim_head=4), noise(1, 60, 8)
    assert not torch.allclose(encoder(x.flip(1)), encoder(x).flip(1), atol=1e-3)


@pytest.mark.parametrize("tokens", [1, 2, 31])
def test_any_number_of_tokens(tokens: int) -> None:
    torch.manual_seed(0)
    y = LinearTransformerEncoder(8, depth=1, heads=2, dim_head=4)(noise(2, tokens, 8))
    assert y.shape == (2, tokens, 8) and bool(y.isfinite().all())


def test_softmax_attention_is_the_textbook_form() -> None:
    torch.manual_seed(0)
    module = SoftmaxAttention(12, 3, 4).double()
    x = noise(2, 17, 12).double()
    q, k, v = np.moveaxis((array(x) @ array(module.to_qkv.weight).T).reshape(2, 17, 3, 3, 4), 2, 0)
    scores = np.exp(np.einsum("bihd,bjhd->bhij", q, k) / np.sqrt(4))
    attended = np.einsum("bhij,bjhd->bihd", scores / scores.sum(axis=-1, keepdims=True), v).reshape(2, 17, 12)
    expected = attended @ array(module.to_out.weight).T + array(module.to_out.bias)
    np.testing.assert_allclose(module(x).detach().numpy(), expected, rtol=1e-9, atol=1e-12)
