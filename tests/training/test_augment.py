"""Augmentation against closed forms: sines at other speeds, gains with known statistics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from htdemucs_n.training.augment import augment_mixture, augment_stem, draw_pitch, draw_speed
from htdemucs_n.training.config import AugmentConfig
from training_helpers import NO_AUGMENT, default_values


def config(**keys: Any) -> AugmentConfig:
    return AugmentConfig(**(default_values()["augment"] | NO_AUGMENT | keys))


def test_speed_factors() -> None:
    """Log-uniform: faster and slower are as likely, and the mean of the logarithm is the middle's."""
    random = np.random.default_rng(0)
    never, always, sometimes = (config(speed=share, speed_range=[0.5, 2.0]) for share in (0.0, 1.0, 0.25))
    assert {draw_speed(random, never) for _ in range(50)} == {1.0}
    drawn = np.log2([draw_speed(random, always) for _ in range(4000)])
    assert -1 <= drawn.min() < -0.99
    assert 0.99 < drawn.max() <= 1
    assert abs(drawn.mean()) < 4 * (1 / math.sqrt(3)) / math.sqrt(4000)
    share = np.mean([draw_speed(random, sometimes) != 1 for _ in range(4000)])
    assert share == pytest.approx(0.25, abs=0.03)


def test_pitches() -> None:
    """Uniform in semitones where it is drawn, and none elsewhere."""
    random = np.random.default_rng(0)
    never, always, sometimes = (config(pitch=share, pitch_semitones=[-3.0, 2.0]) for share in (0.0, 1.0, 0.25))
    assert {draw_pitch(random, never) for _ in range(50)} == {0.0}
    drawn = np.array([draw_pitch(random, always) for _ in range(4000)])
    assert -3 <= drawn.min() < -2.98 and 1.98 < drawn.max() <= 2
    assert drawn.mean() == pytest.approx(-0.5, abs=4 * 5 / math.sqrt(12 * 4000))
    assert np.mean([draw_pitch(random, sometimes) != 0 for _ in range(4000)]) == pytest.approx(0.25, abs=0.03)


def augment_stems(stems: torch.Tensor, random: np.random.Generator, config: AugmentConfig) -> torch.Tensor:
    """Every stem of `(B, S, C, T)` in turn."""
    done = [augment_stem(stem, random, config, 44100) for stem in stems.flatten(0, 1)]
    return torch.stack(done).view_as(stems)


def stems(batch: int = 500, length: int = 3) -> torch.Tensor:
    """Left is 1, right is 2, so that gain, sign and swap can be read off."""
    return torch.tensor([1.0, 2.0]).view(1, 1, 2, 1).expand(batch, 4, 2, length).clone()


def test_nothing_to_do_does_nothing() -> None:
    assert torch.equal(augment_stems(stems(20), np.random.default_rng(0), config()), stems(20))


def test_gain_is_uniform_in_decibels_and_one_for_both_channels() -> None:
    out = augment_stems(stems(), np.random.default_rng(0), config(gain_db=[-9.0, 4.0])).double().numpy()
    gain = 20 * np.log10(out[:, :, 0, 0])
    assert (out[:, :, 1] == 2 * out[:, :, 0]).all()
    assert (out == out[..., :1]).all()
    assert -9 <= gain.min() < -8.9
    assert 3.9 < gain.max() <= 4
    assert gain.mean() == pytest.approx(-2.5, abs=0.4)
    assert np.unique(gain[0]).size == 4, "every stem of a mixture has its own"


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("what", ["sign", "swap", "silence"])
def test_probabilities(what: str, probability: float) -> None:
    out = augment_stems(stems(), np.random.default_rng(1), config(**{what: probability}))
    changed = {"sign": [-1.0, -2.0], "swap": [2.0, 1.0], "silence": [0.0, 0.0]}[what]
    hits = (out == torch.tensor(changed).view(1, 1, 2, 1)).all(dim=3).all(dim=2)
    rest = (out == stems()).all(dim=3).all(dim=2)
    assert (hits ^ rest).all(), "a stem is changed in this way or not at all"
    share = hits.double().mean(dim=0)
    tolerance = 4 * math.sqrt(probability * (1 - probability) / 500)
    assert ((share - probability).abs() <= tolerance).all(), "alike for every stem"


def test_mono_has_nothing_to_swap() -> None:
    mono = stems(8)[:, :, 1:]
    assert torch.equal(augment_stems(mono, np.random.default_rng(0), config(swap=1.0)), mono)


def test_the_same_seed_gives_the_same_change() -> None:
    everything = config(gain_db=[-9.0, 4.0], swap=0.5, sign=0.5, silence=0.1)
    first, again, other = (augment_stems(stems(9), np.random.default_rng(seed), everything) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("effect", ["eq", "saturation", "reverb"])
def test_effects_on_a_stem_are_off_at_0_and_change_the_sound_at_1(effect: str) -> None:
    stem = torch.randn(2, 9000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(augment_stem(stem, np.random.default_rng(0), config(), 44100), stem)
    changed, again = (augment_stem(stem, np.random.default_rng(0), config(**{effect: 1.0}), 44100) for _ in range(2))
    assert torch.equal(changed, again)
    assert changed.shape == stem.shape
    assert not torch.allclose(changed, stem, atol=0.01)


@pytest.mark.parametrize("effect", ["eq", "saturation", "reverb", "silence", "sign", "swap"])
def test_switching_one_effect_on_leaves_the_others_draws(effect: str) -> None:
    """The generator has moved as far with the effect as without it."""
    with_effect, without = np.random.default_rng(3), np.random.default_rng(3)
    stem = torch.ones(2, 3000)
    augment_stem(stem, with_effect, config(**{effect: 1.0}), 44100)
    augment_stem(stem, without, config(), 44100)
    assert with_effect.random() == without.random()


def test_a_bus_compressor_and_a_codec_treat_all_stems_of_a_mixture_alike() -> None:
    random = torch.Generator().manual_seed(0)
    mixture = torch.randn(4, 2, 8192, generator=random) * torch.linspace(0.1, 3, 8192)
    pressed = augment_mixture(mixture, np.random.default_rng(0), config(compression=1.0), 44100)
    gain = pressed / mixture
    torch.testing.assert_close(gain, gain[:1, :1].expand_as(gain), rtol=1e-4, atol=1e-6)
    assert gain.max() <= 1 + 1e-5 and gain.min() < 0.9
    cut = augment_mixture(mixture, np.random.default_rng(0), config(band_limit=1.0, band_limit_hz=[5e3, 5e3]), 44100)
    spectrum = torch.fft.rfft(cut).abs()
    edge = 5000 * 8192 / 44100
    assert spectrum[..., int(edge) + 1 :].max() < 1e-3
    torch.testing.assert_close(
        spectrum[..., : int(edge)], torch.fft.rfft(mixture).abs()[..., : int(edge)], atol=1e-3, rtol=1e-4
    )
    assert torch.equal(augment_mixture(mixture, np.random.default_rng(0), config(), 44100), mixture)
