"""Chunking: a model that changes nothing must give back its input, at any length, segment, overlap and block size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from htdemucs_n.separation.overlap_add import Cutter, Joiner, segment_count

Samples = NDArray[np.float32]


def pieces(signal: NDArray[np.generic], block: int) -> list[NDArray[np.generic]]:
    """`(C, T)` in blocks `(C, n)`."""
    return [signal[:, start : start + block] for start in range(0, signal.shape[1], block)]


def overlap_add(
    model: Callable[[Samples], Samples], mixture: Samples, segment: int, overlap: float, block: int = 10**9
) -> Samples:
    """Cut `(C, T)` that comes in blocks, let `model` map every `(C, t)` to `(S, C, t)`, and join."""
    cutter, joiner, joined = Cutter(segment, overlap), Joiner(segment, overlap), []
    for piece in pieces(mixture, block):
        joined += [joiner.join(model(s.samples).copy(), s.skip) for s in cutter.cut(piece)]
    joined += [joiner.join(model(s.samples).copy(), s.skip) for s in cutter.end()]
    return np.concatenate([*joined, joiner.end()], axis=-1)


@settings(max_examples=150, deadline=None)
@given(
    length=st.integers(1, 2000),
    segment=st.integers(1, 500),
    overlap=st.floats(0, 0.95),
    channels=st.integers(1, 2),
    block=st.integers(1, 700),
    seed=st.integers(0, 99),
)
def test_the_weights_sum_to_one(
    length: int, segment: int, overlap: float, channels: int, block: int, seed: int
) -> None:
    mixture = np.random.default_rng(seed).uniform(-1, 1, (channels, length)).astype(np.float32)
    lengths: list[int] = []

    def model(piece: Samples) -> Samples:
        lengths.append(piece.shape[-1])
        return np.stack([piece, -2 * piece])

    stems = overlap_add(model, mixture, segment, overlap, block)
    assert stems.shape == (2, channels, length) and stems.dtype == np.float32
    np.testing.assert_allclose(stems, np.stack([mixture, -2 * mixture]), rtol=0, atol=1e-6)
    assert len(lengths) == segment_count(length, segment, overlap)
    assert set(lengths) == {min(segment, length)}  # every segment is full


@settings(max_examples=100, deadline=None)
@given(length=st.integers(1, 5000), segment=st.integers(1, 500), overlap=st.floats(0, 0.95), block=st.integers(1, 999))
def test_segments_lie_a_hop_apart_and_the_last_ends_with_the_signal(
    length: int, segment: int, overlap: float, block: int
) -> None:
    """The samples are their own positions."""
    cutter = Cutter(segment, overlap)
    signal = np.arange(length, dtype=np.float32)[None]
    segments = [s for piece in pieces(signal, block) for s in cutter.cut(piece)]
    segments += cutter.end()
    hop = max(1, round(segment * (1 - overlap)))
    assert [int(s.samples[0, s.skip]) for s in segments] == [i * hop for i in range(len(segments))]
    assert int(segments[-1].samples[0, -1]) == length - 1
    for s in segments:
        assert (np.diff(s.samples[0]) == 1).all()
    assert all(s.skip == 0 for s in segments[:-1])


def test_between_two_segments_is_a_linear_cross_fade() -> None:
    """Two segments of 80 that share 20 samples; the model marks each with its number."""
    numbers = iter((0.0, 1.0))
    stems = overlap_add(
        lambda piece: np.full((1, *piece.shape), next(numbers), np.float32), np.zeros((1, 140), np.float32), 80, 0.25
    )
    truth = np.concatenate([np.zeros(60), np.arange(1, 21) / 21, np.ones(60)])
    np.testing.assert_allclose(stems[0, 0], truth, atol=1e-6)


def test_the_last_segment_takes_earlier_samples_but_replaces_none_of_their_stems() -> None:
    """100 samples in segments of 80 a quarter shared: the second takes 20 to 99 and replaces the first from 60 on."""
    segments: list[Samples] = []

    def model(piece: Samples) -> Samples:
        segments.append(piece)
        return np.full((1, *piece.shape), len(segments) - 1, np.float32)

    stems = overlap_add(model, np.arange(100, dtype=np.float32)[None], 80, 0.25)
    assert segments[1][0].tolist() == list(range(20, 100))
    truth = np.concatenate([np.zeros(60), np.arange(1, 21) / 21, np.ones(20)])
    np.testing.assert_allclose(stems[0, 0], truth, atol=1e-6)


def test_what_is_before_the_next_segment_is_given_out_at_once() -> None:
    cutter, joiner = Cutter(80, 0.25), Joiner(80, 0.25)
    assert cutter.cut(np.zeros((2, 79), np.float32)) == []
    (segment,) = cutter.cut(np.zeros((2, 1), np.float32))
    assert joiner.join(segment.samples[None].copy(), segment.skip).shape == (1, 2, 60)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.9])
def test_one_sample(overlap: float) -> None:
    stems = overlap_add(lambda piece: piece[None], np.array([[0.5], [-0.5]], np.float32), 100, overlap)
    assert stems.tolist() == [[[0.5], [-0.5]]]
