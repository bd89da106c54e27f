"""The whole model: lengths, loudness, sums, determinism, and that it can learn."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from htdemucs_n.models.htdemucs_n import HTDemucs_n
from models_helpers import noise, tiny_model

FREE = tiny_model(use_train_segment=False).eval()
PADDED = tiny_model().eval()
SEGMENT = round(0.5 * 44100)


def separate(model: HTDemucs_n, mixture: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(mixture)


@settings(max_examples=25, deadline=None)
@given(
    length=st.one_of(st.integers(1, 3 * 8192), st.sampled_from([1, 1023, 1024, 8191, 8192, 8193, SEGMENT])),
    batch=st.integers(1, 2),
    padded=st.booleans(),
)
def test_output_is_as_long_as_the_input(length: int, batch: int, padded: bool) -> None:
    stems = separate(PADDED if padded else FREE, noise(batch, 2, length, seed=length))
    assert stems.shape == (batch, 4, 2, length)
    assert bool(stems.isfinite().all())


@pytest.mark.parametrize("length", [1, 5000, 8192])
def test_output_is_as_long_as_the_input_in_training(length: int) -> None:
    assert tiny_model()(noise(2, 2, length)).shape == (2, 4, 2, length)


def test_items_of_a_batch_are_independent() -> None:
    batch = noise(3, 2, 9000) * torch.tensor([0.1, 1.0, 10.0]).view(3, 1, 1)
    together = separate(FREE, batch)
    for index in range(3):
        alone = separate(FREE, batch[index : index + 1])[0]
        torch.testing.assert_close(together[index], alone, atol=2e-5, rtol=1e-4)


def test_mono_as_stereo_needs_no_copy() -> None:
    mono = noise(1, 1, 9000)
    expanded = separate(FREE, mono.expand(1, 2, 9000))
    torch.testing.assert_close(expanded, separate(FREE, mono.repeat(1, 2, 1)))
    torch.testing.assert_close(expanded.sum(dim=1), mono.expand(1, 2, 9000), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("channels", "sources"), [(1, ("a", "b")), (2, ("voice",)), (3, ("a", "b", "c"))])
def test_any_channels_and_sources(channels: int, sources: tuple[str, ...]) -> None:
    model = tiny_model(audio_channels=channels, sources=sources).eval()
    assert separate(model, noise(2, channels, 3000)).shape == (2, len(sources), channels, 3000)
    assert (model.audio_channels, model.sources, model.samplerate, model.segment) == (*(channels, sources, 44100, 0.5),)


@pytest.mark.parametrize("gain", [0.03, 30.0])
def test_loudness_comes_through_and_changes_nothing_else(gain: float) -> None:
    """Every item is divided by its RMS plus 1e-5: at an RMS of 0.03 that floor is a share of 3e-4."""
    mixture = noise(2, 2, 9000)
    stems = separate(FREE, mixture)
    louder = separate(FREE, gain * mixture) / gain
    assert float((louder - stems).abs().max()) < 1e-3 * float(stems.abs().max())


@pytest.mark.parametrize("mixture_consistency", [True, False])
@pytest.mark.parametrize("spectral_head", ["mask", "none"])
def test_stems_sum_to_the_mixture_exactly_when_asked(mixture_consistency: bool, spectral_head: str) -> None:
    model = tiny_model(mixture_consistency=mixture_consistency, spectral_head=spectral_head).eval()
    mixture = 0.1 * noise(2, 2, 9000)
    remainder = float((separate(model, mixture).sum(dim=1) - mixture).abs().max())
    assert (remainder < 1e-6) == mixture_consistency


def test_mixture_consistency_shares_the_remainder_out_equally() -> None:
    model, mixture = tiny_model(mixture_consistency=False).eval(), noise(1, 2, 9000)
    free = separate(model, mixture)
    model.config = dataclasses.replace(model.config, mixture_consistency=True)
    expected = free + (mixture[:, None] - free.sum(dim=1, keepdim=True)) / 4
    torch.testing.assert_close(separate(model, mixture), expected, atol=1e-5, rtol=1e-5)


def test_silence_and_near_silence() -> None:
    assert float(separate(FREE, torch.zeros(1, 2, 9000)).abs().max()) < 1e-5
    quiet = separate(FREE, 1e-7 * noise(1, 2, 9000))
    assert bool(quiet.isfinite().all()) and float(quiet.abs().max()) < 1e-5


def test_antiphase_and_a_silent_channel() -> None:
    left = noise(1, 1, 9000)
    for mixture in (torch.cat([left, -left], dim=1), torch.cat([left, 0 * left], dim=1)):
        assert bool(separate(FREE, mixture).isfinite().all())


def test_short_input_is_padded_to_the_training_segment() -> None:
    """As if the caller had padded with silence; without the switch, or in training, it is not."""
    mixture = noise(1, 2, 5000)
    explicit = separate(PADDED, F.pad(mixture, (0, SEGMENT - 5000)))[..., :5000]
    torch.testing.assert_close(separate(PADDED, mixture), explicit)
    assert not torch.allclose(separate(FREE, mixture), explicit, atol=1e-3)
    frames: list[int] = []
    model = tiny_model()
    model.fusion.register_forward_pre_hook(lambda _, args: frames.append(args[1].shape[-1]))
    for training in (True, False):
        separate(model.train(training), mixture)
    assert frames == [8, 24], "5000 samples are 8 frames in training; 22,050 are 24 in evaluation"


def test_the_same_seed_gives_the_same_weights_and_the_same_stems() -> None:
    first, second, other = (tiny_model(seed).eval() for seed in (5, 5, 6))
    for (name, a), (_, b) in zip(first.state_dict().items(), second.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    mixture = noise(2, 2, 9000)
    assert torch.equal(separate(first, mixture), separate(second, mixture))
    assert torch.equal(separate(first, mixture), separate(first, mixture))
    assert not torch.equal(separate(first, mixture), separate(other, mixture))


def test_mixed_precision_keeps_float32_outputs_near() -> None:
    mixture = noise(1, 2, 9000)
    exact = separate(FREE, mixture)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = separate(FREE, mixture)
    assert mixed.dtype == torch.float32
    assert float((mixed - exact).square().mean() / exact.square().mean()) < 1e-3  # 30 dB
    torch.testing.assert_close(mixed.sum(dim=1), mixture, atol=1e-5, rtol=1e-5)


def test_one_batch_can_be_overfitted() -> None:
    """Eight frames of tones and noise: 80 steps bring the L1 loss below a twentieth of its first value."""
    time = torch.arange(8192) / 44100
    tones = torch.stack([torch.sin(2 * torch.pi * f * time) for f in (110.0, 587.0, 3000.0)])
    stems = torch.cat([tones, 0.3 * noise(1, 8192)]).view(1, 4, 1, 8192).repeat(1, 1, 2, 1)
    model = tiny_model()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(80):
        loss = (model(stems.sum(dim=1)) - stems).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]
