"""Chunking: a model that changes nothing must give back its input, at any length, segment and overlap."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from htdemucs_n.separation.overlap_add import overlap_add, segment_starts

CPU = torch.device("cpu")


def identity(mixture: Tensor) -> Tensor:
    return mixture[:, None]


def nothing() -> None:
    """Nobody watches the progress."""


@settings(max_examples=150, deadline=None)
@given(
    length=st.integers(1, 2000),
    segment=st.integers(1, 500),
    overlap=st.floats(0, 0.95),
    channels=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_the_weights_sum_to_one(length: int, segment: int, overlap: float, channels: int, seed: int) -> None:
    mixture = torch.rand(channels, length, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    lengths: list[int] = []

    def model(piece: Tensor) -> Tensor:
        lengths.append(piece.shape[-1])
        return torch.stack([piece, -2 * piece], dim=1)

    calls: list[None] = []
    stems = overlap_add(model, mixture, segment, overlap, CPU, lambda: calls.append(None))
    assert stems.shape == (2, channels, length)
    torch.testing.assert_close(stems, torch.stack([mixture, -2 * mixture]), rtol=0, atol=1e-6)
    assert len(calls) == len(lengths) == len(segment_starts(length, segment, overlap))
    assert set(lengths) == {min(segment, length)}


@settings(max_examples=150, deadline=None)
@given(length=st.integers(1, 5000), segment=st.integers(1, 500), overlap=st.floats(0, 0.95))
def test_segments_cover_the_signal_and_share_at_least_the_overlap(length: int, segment: int, overlap: float) -> None:
    starts = np.array(segment_starts(length, segment, overlap))
    assert starts[0] == 0
    assert starts[-1] + min(segment, length) == length
    hops = np.diff(starts)
    assert (hops > 0).all()
    assert (hops <= max(1, segment * (1 - overlap) + 0.5)).all()
    assert len(starts) == max(1, 1 + -(-(length - segment) // max(1, round(segment * (1 - overlap)))))


def test_between_two_segments_is_a_linear_cross_fade() -> None:
    """Two segments of 80 that share 20 samples; the model marks each with its number."""
    numbers = iter((0.0, 1.0))
    stems = overlap_add(
        lambda piece: torch.full((1, 1, *piece.shape[1:]), next(numbers)),
        torch.zeros(1, 140),
        80,
        0.25,
        CPU,
        nothing,
    )
    truth = np.concatenate([np.zeros(60), np.arange(1, 21) / 21, np.ones(60)])
    np.testing.assert_allclose(stems[0, 0].numpy(), truth, atol=1e-6)


def test_stems_can_be_trained_on_later() -> None:
    """No inference tensor leaks out: the caller may use the result as any other."""
    stems = overlap_add(identity, torch.rand(2, 100), 30, 0.25, CPU, nothing)
    assert not stems.is_inference()


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.9])
def test_one_sample(overlap: float) -> None:
    stems = overlap_add(identity, torch.tensor([[0.5], [-0.5]]), 100, overlap, CPU, nothing)
    assert stems.tolist() == [[[0.5], [-0.5]]]
