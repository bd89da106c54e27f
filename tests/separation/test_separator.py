"""The Separator around an engine with known stems: its values at any rate, length, channel count and level."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from audio_helpers import GAINS, SOURCES, tones
from graph_helpers import SplitGraph
from htdemucs_n.audio import write_wav
from htdemucs_n.errors import UserError
from htdemucs_n.separation import Separator

Samples = NDArray[np.float32]


def noise(channels: int, length: int, seed: int = 0) -> Samples:
    """Noise that repeats every 2,205 samples, so that every segment of `SplitGraph` (4,410 samples) has mean 0."""
    pattern = np.random.default_rng(seed).uniform(-1, 1, (channels, 2205))
    pattern -= pattern.mean(1, keepdims=True)
    return np.tile(pattern, -(-length // 2205))[:, :length].astype(np.float32)


def assert_stems_are(stems: dict[str, Samples], mixture: Samples, gains: tuple[float, ...], atol: float) -> None:
    assert tuple(stems) == SOURCES
    for gain, samples in zip(gains, stems.values(), strict=True):
        assert samples.dtype == np.float32
        np.testing.assert_allclose(samples, gain * mixture, rtol=0, atol=atol)


def assert_sum_is(stems: dict[str, Samples], mixture: Samples, rtol: float = 0.0, atol: float = 0.0) -> None:
    np.testing.assert_allclose(sum(stems.values()), mixture, rtol=rtol, atol=atol)


@pytest.mark.parametrize("length", [2205, 4410, 4411, 20000])
@pytest.mark.parametrize("level", [1e-6, 1.0, 1e6])
def test_stems_have_their_values(length: int, level: float) -> None:
    """A split by gains is linear, so chunks and normalisation must not show. Segments are 4,410 samples."""
    mixture = np.float32(level) * noise(2, length)
    assert_stems_are(Separator(SplitGraph()).separate(mixture, 44100), mixture, GAINS, atol=1e-6 * level)


@settings(max_examples=40, deadline=None)
@given(
    channels=st.integers(1, 9),
    length=st.integers(1, 2000),
    rate=st.sampled_from([8000, 22050, 44100, 48000, 96000, 192000]),
    gains=st.tuples(*[st.floats(-1, 1)] * 4),
    offset=st.floats(-1, 1),
)
def test_stems_add_up_to_the_mixture(
    channels: int, length: int, rate: int, gains: tuple[float, ...], offset: float
) -> None:
    """Whatever the model does: with these gains its own stems do not add up."""
    mixture = noise(channels, length) + np.float32(offset)
    stems = Separator(SplitGraph(gains, segment=0.01)).separate(mixture, rate)
    assert all(samples.shape == (min(channels, 2), length) for samples in stems.values())
    if channels <= 2:
        assert_sum_is(stems, mixture, atol=5e-6)


def test_what_the_model_leaves_is_shared_equally() -> None:
    mixture = noise(2, 5000)
    assert_stems_are(Separator(SplitGraph((0, 0, 0, 0))).separate(mixture, 44100), mixture, (0.25,) * 4, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 48000, 192000])
def test_other_rates_go_through_the_models_rate_and_back(rate: int) -> None:
    mixture = tones((440, 1000), rate, 0.5)
    model = SplitGraph(segment=10)
    stems = Separator(model).separate(mixture, rate)
    assert model.lengths == [22050]  # half a second at 44,100 Hz
    inner = slice(rate // 20, -rate // 20)
    assert_stems_are({n: s[:, inner] for n, s in stems.items()}, mixture[:, inner], GAINS, atol=1e-4)


def test_what_lies_above_the_models_band_is_shared_equally() -> None:
    mixture = tones((30000, 35000), 96000, 0.5)
    stems = Separator(SplitGraph()).separate(mixture, 96000)
    inner = slice(5000, -5000)
    assert_stems_are({n: s[:, inner] for n, s in stems.items()}, mixture[:, inner], (0.25,) * 4, atol=1e-4)


def test_mono_gives_mono() -> None:
    mixture = noise(1, 5000)
    assert_stems_are(Separator(SplitGraph()).separate(mixture, 44100), mixture, GAINS, atol=1e-6)


def test_anti_phase_stereo() -> None:
    """L = -R: its mono sum is silent, its stems are not."""
    left = noise(1, 5000)
    mixture = np.concatenate([left, -left])
    assert_stems_are(Separator(SplitGraph()).separate(mixture, 44100), mixture, GAINS, atol=1e-6)


def test_5_1_is_mixed_down() -> None:
    surround = noise(6, 5000)
    left, right, centre, _, back_left, back_right = surround
    truth = np.stack([left + 0.5**0.5 * (centre + back_left), right + 0.5**0.5 * (centre + back_right)])
    assert_stems_are(Separator(SplitGraph()).separate(surround, 44100), truth, GAINS, atol=2e-6)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (2, 44100), (6, 100)])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_silence_gives_silence(shape: tuple[int, int], rate: int) -> None:
    model = SplitGraph()
    stems = Separator(model).separate(np.zeros(shape, np.float32), rate)
    assert all((samples == 0).all() for samples in stems.values())
    assert not model.lengths  # nothing to ask a model about


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_one_sample(channels: int, rate: int) -> None:
    mixture = np.array([[0.5], [-0.25]], np.float32)[:channels]
    stems = Separator(SplitGraph()).separate(mixture, rate)
    assert_sum_is(stems, mixture, rtol=1e-6)


@pytest.mark.parametrize("level", [1e-45, 1e-40, 1e-30, 1e18])
def test_extreme_levels_stay_finite_and_add_up(level: float) -> None:
    mixture = noise(2, 5000) * np.float32(level)
    stems = Separator(SplitGraph()).separate(mixture, 44100)
    assert_sum_is(stems, mixture, rtol=1e-5, atol=1e-5 * level + 6e-45)


def test_the_engine_gets_a_normalised_mixture() -> None:
    inputs: list[Samples] = []

    class Spy(SplitGraph):
        def separate(self, mixture: Samples) -> Samples:
            inputs.append(mixture.copy())
            return super().separate(mixture)

    mixture = 0.01 * noise(2, 5000) + np.float32(0.3)
    before = mixture.copy()
    Separator(Spy(segment=1)).separate(mixture, 44100)
    assert float(inputs[0].mean()) == pytest.approx(0, abs=1e-4)
    assert float(inputs[0].std()) == pytest.approx(1, abs=1e-4)
    assert np.array_equal(mixture, before)


class PositionEngine(SplitGraph):
    """Shows where in a segment a sample was: its first stem is the mixture times the index."""

    def separate(self, mixture: Samples) -> Samples:
        stems = super().separate(mixture)
        stems[:, 0] = mixture * np.arange(mixture.shape[-1])
        return stems


def test_shifts_are_averaged() -> None:
    mixture = noise(2, 3000)
    mixture -= mixture.mean()
    model = PositionEngine((0, 0, 0, 0), segment=10)
    stems = Separator(model, shifts=3, seed=7).separate(mixture, 44100)
    offsets = [length - 3000 for length in model.lengths]
    assert len(set(offsets)) == 3
    assert all(0 <= offset <= 22050 for offset in offsets)
    index = np.arange(3000) + sum(offsets) / 3
    first = mixture * index  # the output of the model, before the rest of the mixture is shared
    np.testing.assert_allclose(stems["drums"], first + (mixture - first) / 4, rtol=1e-5, atol=1e-2)

    again, other = PositionEngine(segment=10), PositionEngine(segment=10)
    Separator(again, shifts=3, seed=7).separate(mixture, 44100)
    Separator(other, shifts=3, seed=8).separate(mixture, 44100)
    assert again.lengths == model.lengths != other.lengths


@pytest.mark.parametrize("shifts", [0, 2])
def test_progress_counts_every_segment(shifts: int) -> None:
    calls: list[tuple[int, int]] = []
    model = SplitGraph(segment=0.6)  # over the largest shift, so that no segment is silent and left out
    separator = Separator(model, shifts=shifts)
    separator.separate(noise(2, 150000), 44100, progress=lambda done, total: calls.append((done, total)))
    total = len(model.lengths)
    assert total > 5
    assert calls == [(done, total) for done in range(1, total + 1)]


def test_the_same_input_gives_the_same_bytes() -> None:
    separator = Separator(PositionEngine(), shifts=2)
    runs = [separator.separate(noise(2, 20000), 48000) for _ in range(2)]
    for name in SOURCES:
        assert runs[0][name].tobytes() == runs[1][name].tobytes()


def test_a_file_is_separated_at_its_own_rate(tmp_path: Path) -> None:
    samples = tones((440, 660), 22050)
    soundfile.write(tmp_path / "a.wav", samples.T, 22050, subtype="FLOAT")
    separator = Separator(SplitGraph())
    stems, truth = (
        separator.separate_file(tmp_path / "a.wav"),
        separator.separate(samples, 22050),
    )
    for name in SOURCES:
        assert np.array_equal(stems[name], truth[name])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("overlap", -0.1),
        ("overlap", 1.0),
        ("overlap", float("nan")),
        ("shifts", -1),
        ("batch", 0),
    ],
)
def test_an_option_out_of_range_is_named(option: str, value: object) -> None:
    with pytest.raises(UserError, match=option):
        Separator(SplitGraph(), **{option: value})  # type: ignore[arg-type]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 1e300])
def test_nan_in_the_mixture(bad: float) -> None:
    """What float32 cannot hold is infinite there."""
    mixture = noise(2, 100).astype(np.float64)
    mixture[1, 50] = bad
    with pytest.raises(UserError, match="NaN"):
        Separator(SplitGraph()).separate(mixture, 44100)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_from_the_model(bad: float) -> None:
    with pytest.raises(UserError, match="checkpoint"):
        Separator(SplitGraph((bad, -bad, 0, 0))).separate(noise(2, 100), 44100)


def test_memory_that_runs_out() -> None:
    class Huge(SplitGraph):
        def separate(self, mixture: Samples) -> Samples:
            raise MemoryError

    with pytest.raises(UserError, match="not enough memory on cpu: use a smaller segment"):
        Separator(Huge()).separate(noise(2, 100), 44100)


@pytest.mark.parametrize(
    ("shape", "rate"), [((100,), 44100), ((2, 0), 44100), ((0, 5), 44100), ((2, 5), 0), ((2, 5), float("nan"))]
)
def test_a_wrong_shape_is_a_programming_error(shape: tuple[int, ...], rate: int) -> None:
    with pytest.raises(ValueError, match=r"\(C, T\)"):
        Separator(SplitGraph()).separate(np.zeros(shape), rate)


@pytest.mark.parametrize("kind", [complex, str, object])
def test_samples_that_are_no_real_numbers(kind: type) -> None:
    with pytest.raises(ValueError, match="real numbers"):
        Separator(SplitGraph()).separate(np.zeros((2, 5), kind), 44100)


def test_an_unknown_name_in_the_package() -> None:
    import htdemucs_n

    with pytest.raises(AttributeError, match="nothing"):
        htdemucs_n.nothing  # noqa: B018


@pytest.mark.filterwarnings("error")
def test_arrays_of_any_byte_order_and_read_only_ones_are_taken() -> None:
    separator = Separator(SplitGraph())
    samples = tones((440, 1000), 44100, 0.25).astype(np.float32)
    expected = separator.separate(samples.copy(), 44100)
    locked = samples.copy()
    locked.flags.writeable = False
    for array in (locked, samples.astype(">f4"), samples.astype("<f8"), np.asfortranarray(samples)):
        stems = separator.separate(array, 44100)
        assert all(np.array_equal(stems[name], expected[name]) for name in expected)


def test_samples_by_channels_are_one_clear_line() -> None:
    with pytest.raises(ValueError, match=r"\(C, T\).*transpose \(44100, 2\)"):
        Separator(SplitGraph()).separate(np.zeros((44100, 2), np.float32), 44100)


@pytest.mark.parametrize("given", [b"RIFF", 5, open])
def test_what_is_no_file_is_named(given: object) -> None:
    with pytest.raises(UserError, match=r"give a path, or put the bytes into io\.BytesIO"):
        Separator(SplitGraph()).separate_file(given)  # type: ignore[arg-type]


def test_a_file_object_is_separated_as_its_file(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (2, 9000)).astype(np.float32)
    write_wav(tmp_path / "a.wav", noise, 44100, float32=True)
    separator = Separator(SplitGraph())
    expected = separator.separate_file(tmp_path / "a.wav")
    for opened in (io.BytesIO((tmp_path / "a.wav").read_bytes()), (tmp_path / "a.wav").open("rb")):
        with opened:
            stems = separator.separate_file(opened)
            assert not opened.closed
        assert all(np.array_equal(stems[name], expected[name]) for name in expected)
