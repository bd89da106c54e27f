"""Streams: the bytes of a whole song, in bounded time and memory; seams, several models, threads, stopping."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from audio_helpers import GAINS, SOURCES, SplitModel
from htdemucs_n.errors import Cancelled, UserError
from htdemucs_n.separation import Separator


class Convolution(SplitModel):
    """A model that is neither linear in level nor the same at every place of a segment."""

    def __init__(self, segment: float = 0.1, seed: int = 0) -> None:
        super().__init__(segment=segment)
        torch.manual_seed(seed)
        self.conv = nn.Conv1d(2, 8, 33, padding=16)

    def forward(self, mixture: Tensor) -> Tensor:
        place = torch.linspace(0, 1, mixture.shape[-1])
        stems: Tensor = torch.tanh(self.conv(mixture * (1 + place))).unflatten(1, (4, 2))
        return stems


def noise(channels: int, length: int, seed: int = 0) -> Tensor:
    return torch.randn(channels, length, generator=torch.Generator().manual_seed(seed)) / 4


def joined(blocks: list[dict[str, Tensor]]) -> Tensor:
    """`(S, C, T)`."""
    return torch.cat([torch.stack(list(block.values())) for block in blocks], dim=-1)


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
    separator = Separator(Convolution(), shifts=shifts)
    borders = sorted({0, length, *(cut for cut in cuts if cut < length)})
    blocks = [mixture[:, a:b] for a, b in pairwise(borders)]
    streamed = joined(list(separator.stream(blocks, rate)))
    assert torch.equal(streamed, torch.stack(list(separator.separate(mixture, rate).values())))


@pytest.mark.parametrize("rate", [8000, 32000, 44100, 48000, 192000])
@pytest.mark.parametrize(("shifts", "batch"), [(0, 1), (0, 3), (3, 1)])
def test_the_latency_is_as_stated(rate: int, shifts: int, batch: int) -> None:
    separator = Separator(Convolution(), shifts=shifts, batch=batch)
    latency, block = separator.latency(rate), 500
    given_in = given_out = worst = 0

    def source() -> object:
        nonlocal given_in, worst
        for piece in noise(2, 3 * rate).split(block, dim=1):
            worst = max(worst, given_in - given_out)
            given_in += piece.shape[1]
            yield piece

    for stems in separator.stream(source(), rate):  # type: ignore[arg-type]
        given_out += stems["bass"].shape[1]
    assert given_out == given_in == 3 * rate
    assert worst <= latency + block
    assert worst > latency / 4  # the bound is not vacuous


def test_an_empty_stream_gives_nothing() -> None:
    assert list(Separator(SplitModel()).stream([], 44100)) == []
    assert list(Separator(SplitModel()).stream([torch.zeros(2, 0)], 44100)) == []


@pytest.mark.parametrize("blocks", [[torch.zeros(2, 5), torch.zeros(1, 5)], [torch.zeros(5)], [torch.zeros(0, 5)]])
def test_blocks_of_a_wrong_shape(blocks: list[Tensor]) -> None:
    with pytest.raises(ValueError, match=r"\(C, n\)"):
        list(Separator(SplitModel()).stream(blocks, 44100))


def test_nan_late_in_a_stream() -> None:
    late = torch.full((2, 10), float("nan"))
    with pytest.raises(UserError, match="NaN"):
        list(Separator(SplitModel()).stream([noise(2, 20000), late], 44100))


def test_memory_does_not_grow_with_the_length() -> None:
    """Ten times the length, through resampling and back, within 5 %: peak of a process of its own each."""
    code = (
        "import resource, sys, torch\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from audio_helpers import SplitModel\n"
        "from htdemucs_n.separation import Separator\n"
        "blocks = (torch.randn(2, 48000) for _ in range(int(sys.argv[1])))\n"
        "for stems in Separator(SplitModel(segment=2)).stream(blocks, 48000):\n    pass\n"
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
    song = torch.stack(list(demo_stems.values())).sum(dim=0)
    separator = Separator(device="cpu", segment=3.0)
    hop, shift = round(3.0 * 44100 * 0.75), 40000
    first = torch.stack(list(separator.separate(song, 44100).values()))
    second = torch.stack(list(separator.separate(torch.cat([torch.zeros(2, shift), song], 1), 44100).values()))
    error = (first - second[..., shift:]).square().mean((0, 1))  # (T,)

    def level(middle: int) -> float:
        return float(error[middle - 2205 : middle + 2205].mean().sqrt())  # 0.1 s

    overlap = round(3.0 * 44100 / 4)
    seams = [k * hop + overlap // 2 for k in (1, 2, 3)] + [k * hop + overlap // 2 - shift for k in (1, 2, 3)]
    everywhere = float(error.mean().sqrt())
    assert everywhere < 0.25 * float(first.square().mean().sqrt())  # the cut changes little anywhere
    assert max(level(seam) for seam in seams) < 3 * everywhere
    # No click: a step at a seam would stand out in the difference from sample to sample.
    steps = first.diff(dim=-1).abs().amax((0, 1))
    for seam in seams[:3]:
        place = steps[seam - overlap // 2 - 50 : seam + overlap // 2 + 50]
        assert float(place.max()) <= float(steps.max())
        assert float(place[[48, 49, 50, 51]].max()) < 10 * float(place.mean())


def test_models_are_averaged_by_their_weights() -> None:
    mixture = noise(2, 20000)
    mixture = mixture.repeat(1, 2)
    pair = [Convolution(seed=1), Convolution(seed=2)]
    first, second = (Separator(model).separate(mixture, 44100) for model in pair)
    both = Separator(pair, weights=[3, 1]).separate(mixture, 44100)
    equal = Separator(pair).separate(mixture, 44100)
    for name in SOURCES:
        torch.testing.assert_close(both[name], 0.75 * first[name] + 0.25 * second[name], rtol=0, atol=1e-6)
        torch.testing.assert_close(equal[name], 0.5 * first[name] + 0.5 * second[name], rtol=0, atol=1e-6)


def test_models_that_cannot_be_averaged() -> None:
    other = SplitModel()
    other.samplerate = 48000
    with pytest.raises(UserError, match="sample rate"):
        Separator([SplitModel(), other])
    for weights in ([1.0], [-1.0, 2.0], [0.0, 0.0], [float("nan"), 1.0]):
        with pytest.raises(UserError, match="weights"):
            Separator([SplitModel(), SplitModel()], weights=weights)


def test_batches_give_the_same_stems() -> None:
    mixture = noise(2, 50000)
    one, many = (Separator(Convolution(), batch=batch).separate(mixture, 44100) for batch in (1, 4))
    for name in SOURCES:
        torch.testing.assert_close(one[name], many[name], rtol=0, atol=1e-6)


def test_a_batch_that_memory_has_no_room_for_is_halved() -> None:
    sizes: list[int] = []

    class Greedy(Convolution):
        def forward(self, mixture: Tensor) -> Tensor:
            sizes.append(len(mixture))
            if len(mixture) > 1:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().forward(mixture)

    mixture = noise(2, 12000)
    stems = Separator(Greedy(), batch=4).separate(mixture, 44100)
    truth = Separator(Convolution()).separate(mixture, 44100)
    assert sizes[:3] == [4, 2, 1]
    for name in SOURCES:
        assert torch.equal(stems[name], truth[name])


def test_cancelling_takes_effect_before_the_next_segment() -> None:
    model, cancel = SplitModel(), threading.Event()

    def progress(done: int, total: int) -> None:
        if done == 3:
            cancel.set()

    with pytest.raises(Cancelled):
        Separator(model).separate(noise(2, 44100), 44100, progress, cancel)
    assert len(model.lengths) == 3


def test_progress_of_a_stream_of_unknown_length() -> None:
    calls: list[tuple[int, int]] = []
    separator = Separator(SplitModel())
    list(separator.stream([noise(2, 20000)], 44100, progress=lambda done, total: calls.append((done, total))))
    assert calls == [(done, 0) for done in range(1, len(calls) + 1)]
    assert len(calls) > 3


def test_one_separator_serves_many_threads() -> None:
    """Songs of other lengths and rates at once: each gets the bytes that it gets alone."""
    separator = Separator(Convolution(), shifts=2)
    songs = [(noise(1 + n % 2, 9000 + 3111 * n, seed=n), (44100, 48000)[n % 3 == 0]) for n in range(8)]
    alone = [separator.separate(mixture, rate) for mixture, rate in songs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda song: separator.separate(*song), songs))
    for one, other in zip(alone, together, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in SOURCES)


def test_gains_pass_through_blocks_of_any_size() -> None:
    """An absolute check beside the relative ones: known stems, in blocks of one sample to a second."""
    mixture = (torch.sin(torch.arange(44100.0) * 2 * torch.pi / 441) / 2).repeat(2, 1)  # mean 0 in every 441 samples
    for block in (7, 441, 44100):
        stems = joined(list(Separator(SplitModel()).stream(mixture[:, :4410].split(block, dim=1), 44100)))
        for gain, stem in zip(GAINS, stems, strict=True):
            torch.testing.assert_close(stem, gain * mixture[:, :4410], rtol=0, atol=1e-6)
