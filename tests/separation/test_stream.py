"""Streams: the bytes of a whole song, in bounded time and memory; seams, several models, threads, stopping."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from audio_helpers import GAINS, SOURCES
from graph_helpers import SplitGraph
from htdemucs_n.errors import Cancelled, UserError
from htdemucs_n.separation import Separator

Samples = NDArray[np.float32]


class PlaceEngine(SplitGraph):
    """An engine that is neither linear in level, nor the same at every place of a segment, nor without memory."""

    def __init__(self, segment: float = 0.1, seed: int = 0) -> None:
        super().__init__(segment=segment)
        self.mix = np.random.default_rng(seed).uniform(-1, 1, (4, 2, 2)).astype(np.float32)

    def separate(self, mixture: Samples) -> Samples:
        placed = mixture * np.linspace(1, 2, mixture.shape[-1], dtype=np.float32)
        before = np.pad(placed, ((0, 0), (0, 0), (16, 0)))[..., :-16]
        stems: Samples = np.tanh(np.einsum("sdc,bct->bsdt", self.mix, placed - before))
        return stems


def noise(channels: int, length: int, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).standard_normal((channels, length), np.float32) / 4


def pieces(samples: Samples, length: int) -> list[Samples]:
    """`(C, T)` in blocks `(C, n)`."""
    return [samples[:, start : start + length] for start in range(0, samples.shape[1], length)]


def stacked(stems: dict[str, Samples]) -> Samples:
    """`(S, C, T)`."""
    return np.stack(list(stems.values()))


def joined(blocks: list[dict[str, Samples]]) -> Samples:
    """`(S, C, T)`."""
    return np.concatenate([stacked(block) for block in blocks], axis=-1)


@settings(max_examples=25, deadline=None)
@given(
    rate=st.sampled_from([8000, 44100, 48000, 96000]),
    channels=st.integers(1, 3),
    length=st.integers(1, 40000),
    cuts=st.lists(st.integers(0, 40000), max_size=12),
    shifts=st.sampled_from([0, 2]),
)
def test_blocks_give_the_bytes_of_the_whole(
    rate: int, channels: int, length: int, cuts: list[int], shifts: int
) -> None:
    mixture = noise(channels, length)
    separator = Separator(PlaceEngine(), shifts=shifts)
    borders = sorted({0, length, *(cut for cut in cuts if cut < length)})
    blocks = [mixture[:, a:b] for a, b in pairwise(borders)]
    streamed = joined(list(separator.stream(blocks, rate)))
    assert np.array_equal(streamed, stacked(separator.separate(mixture, rate)))


@pytest.mark.parametrize("rate", [8000, 32000, 44100, 48000, 192000])
@pytest.mark.parametrize(("shifts", "batch"), [(0, 1), (0, 3), (3, 1)])
def test_the_latency_is_as_stated(rate: int, shifts: int, batch: int) -> None:
    separator = Separator(PlaceEngine(), shifts=shifts, batch=batch)
    latency, block = separator.latency(rate), 500
    given_in = given_out = worst = 0

    def source() -> object:
        nonlocal given_in, worst
        for piece in pieces(noise(2, 3 * rate), block):
            worst = max(worst, given_in - given_out)
            given_in += piece.shape[1]
            yield piece

    for stems in separator.stream(source(), rate):  # type: ignore[arg-type]
        given_out += stems["bass"].shape[1]
    assert given_out == given_in == 3 * rate
    assert worst <= latency + block
    assert worst > latency / 4  # the bound is not vacuous


def test_an_empty_stream_gives_nothing() -> None:
    assert list(Separator(SplitGraph()).stream([], 44100)) == []
    assert list(Separator(SplitGraph()).stream([np.zeros((2, 0), np.float32)], 44100)) == []


@pytest.mark.parametrize("shapes", [[(2, 5), (1, 5)], [(5,)], [(0, 5)]])
def test_blocks_of_a_wrong_shape(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"\(C, n\)"):
        list(Separator(SplitGraph()).stream([np.zeros(shape) for shape in shapes], 44100))


def test_nan_late_in_a_stream() -> None:
    late = np.full((2, 10), np.nan)
    with pytest.raises(UserError, match="NaN"):
        list(Separator(SplitGraph()).stream([noise(2, 20000), late], 44100))


def test_memory_does_not_grow_with_the_length() -> None:
    """Ten times the length, through resampling and back, within 5 %: peak of a process of its own each."""
    code = (
        "import resource, sys\nimport numpy as np\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from graph_helpers import SplitGraph\n"
        "from htdemucs_n.separation import Separator\n"
        "draw = np.random.default_rng(0).standard_normal\n"
        "blocks = (draw((2, 48000), np.float32) for _ in range(int(sys.argv[1])))\n"
        "for stems in Separator(SplitGraph(segment=2)).stream(blocks, 48000):\n    pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    if sys.platform == "win32":
        pytest.skip("needs a POSIX measure of memory")

    def peak(seconds: int) -> int:
        done = subprocess.run([sys.executable, "-c", code, str(seconds)], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert peak(300) < 1.05 * peak(30)


def test_seams_differ_no_more_than_other_places(demo_stems: dict[str, Tensor]) -> None:
    """The shipped model on one song, cut at other places: where segments meet, the two differ as elsewhere.

    Differences are of the same size at the seams of the first cut, at those of the second, and far from both.
    """
    song = np.sum([stem.numpy() for stem in demo_stems.values()], axis=0)
    separator = Separator(device="cpu", segment=3.0)
    hop, shift = round(3.0 * 44100 * 0.75), 40000
    first = stacked(separator.separate(song, 44100))
    second = stacked(separator.separate(np.pad(song, ((0, 0), (shift, 0))), 44100))
    error = np.square(first - second[..., shift:]).mean((0, 1))  # (T,)

    def level(middle: int) -> float:
        return float(np.sqrt(error[middle - 2205 : middle + 2205].mean()))  # 0.1 s

    overlap = round(3.0 * 44100 / 4)
    seams = [k * hop + overlap // 2 for k in (1, 2, 3)] + [k * hop + overlap // 2 - shift for k in (1, 2, 3)]
    everywhere = float(np.sqrt(error.mean()))
    assert everywhere < 0.25 * float(np.sqrt(np.square(first).mean()))  # the cut changes little anywhere
    assert max(level(seam) for seam in seams) < 3 * everywhere
    # No click: a step at a seam would stand out in the difference from sample to sample.
    steps = np.abs(np.diff(first)).max((0, 1))
    for seam in seams[:3]:
        place = steps[seam - overlap // 2 - 50 : seam + overlap // 2 + 50]
        assert float(place.max()) <= float(steps.max())
        assert float(place[[48, 49, 50, 51]].max()) < 10 * float(place.mean())


def test_a_stream_may_use_its_memory_again() -> None:
    """As sound cards do: every block is the same array with other samples."""
    mixture = noise(2, 20000)
    buffer = np.empty((2, 500), np.float32)

    def microphone() -> Iterator[Samples]:
        for piece in pieces(mixture, 500):
            buffer[:] = piece
            yield buffer

    separator = Separator(PlaceEngine())
    assert np.array_equal(
        joined(list(separator.stream(microphone(), 44100))), stacked(separator.separate(mixture, 44100))
    )


def test_batches_give_the_same_stems() -> None:
    mixture = noise(2, 50000)
    one, many = (Separator(PlaceEngine(), batch=batch).separate(mixture, 44100) for batch in (1, 4))
    for name in SOURCES:
        np.testing.assert_allclose(one[name], many[name], rtol=0, atol=1e-6)


def test_a_batch_that_memory_has_no_room_for_is_halved() -> None:
    sizes: list[int] = []

    class Greedy(PlaceEngine):
        def separate(self, mixture: Samples) -> Samples:
            sizes.append(len(mixture))
            if len(mixture) > 1:
                raise MemoryError
            return super().separate(mixture)

    mixture = noise(2, 12000)
    stems = Separator(Greedy(), batch=4).separate(mixture, 44100)
    truth = Separator(PlaceEngine()).separate(mixture, 44100)
    assert sizes[:3] == [4, 2, 1]
    for name in SOURCES:
        assert np.array_equal(stems[name], truth[name])


def test_an_engine_says_how_many_segments_it_takes_at_once() -> None:
    sizes: list[int] = []

    class Wide(SplitGraph):
        batch = 3

        def separate(self, mixture: Samples) -> Samples:
            sizes.append(len(mixture))
            return super().separate(mixture)

    Separator(Wide()).separate(noise(2, 44100), 44100)
    Separator(Wide(), batch=2).separate(noise(2, 44100), 44100)
    assert max(sizes) == 3 and sizes.count(2) > 1


def test_cancelling_takes_effect_before_the_next_segment() -> None:
    model, cancel = SplitGraph(), threading.Event()

    def progress(done: int, total: int) -> None:
        if done == 3:
            cancel.set()

    with pytest.raises(Cancelled):
        Separator(model).separate(noise(2, 44100), 44100, progress, cancel)
    assert len(model.lengths) == 3


def test_progress_of_a_stream_of_unknown_length() -> None:
    calls: list[tuple[int, int]] = []
    separator = Separator(SplitGraph())
    list(separator.stream([noise(2, 20000)], 44100, progress=lambda done, total: calls.append((done, total))))
    assert calls == [(done, 0) for done in range(1, len(calls) + 1)]
    assert len(calls) > 3


def test_one_separator_serves_many_threads() -> None:
    """Songs of other lengths and rates at once: each gets the bytes that it gets alone."""
    separator = Separator(PlaceEngine(), shifts=2)
    songs = [(noise(1 + n % 2, 9000 + 3111 * n, seed=n), (44100, 48000)[n % 3 == 0]) for n in range(8)]
    alone = [separator.separate(mixture, rate) for mixture, rate in songs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda song: separator.separate(*song), songs))
    for one, other in zip(alone, together, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in SOURCES)


def test_gains_pass_through_blocks_of_any_size() -> None:
    """An absolute check beside the relative ones: known stems, in blocks of one sample to a second."""
    wave = np.sin(np.arange(4410) * 2 * np.pi / 441) / 2  # mean 0 in every 441 samples
    mixture = np.stack([wave, wave]).astype(np.float32)
    for block in (7, 441, 44100):
        stems = joined(list(Separator(SplitGraph()).stream(pieces(mixture, block), 44100)))
        for gain, stem in zip(GAINS, stems, strict=True):
            np.testing.assert_allclose(stem, gain * mixture, rtol=0, atol=1e-6)
