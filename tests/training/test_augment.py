"""Effects against closed forms: gains with known statistics, tones at other speeds, peaks under a ceiling."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from htdemucs_n.training.augment import MIXTURE_EFFECTS, STEM_EFFECTS, Pitch, Speed, apply_effects
from htdemucs_n.training.augment.equaliser import equalise
from htdemucs_n.training.augment.limiter import Limiter, limiting_gain
from htdemucs_n.training.config import AugmentConfig
from training_helpers import augment_config

RATE = 44100


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def augment_stems(stems: torch.Tensor, random: np.random.Generator, config: AugmentConfig) -> torch.Tensor:
    """Every stem of `(B, S, C, T)` in turn."""
    effects = list(config.stem_effects.values())
    done = [apply_effects(stem, effects, random, RATE) for stem in stems.flatten(0, 1)]
    return torch.stack(done).view_as(stems)


def stems(batch: int = 500, length: int = 3) -> torch.Tensor:
    """Left is 1, right is 2, so that gain, sign and swap can be read off."""
    return torch.tensor([1.0, 2.0]).view(1, 1, 2, 1).expand(batch, 4, 2, length).clone()


def test_speed_factors() -> None:
    """Log-uniform: faster and slower are as likely, and the mean of the logarithm is the middle's."""
    random = np.random.default_rng(0)
    assert {Speed(0.0).draw(random) for _ in range(50)} == {1.0}
    drawn = np.log2([Speed(1.0, (0.5, 2.0)).draw(random) for _ in range(4000)])
    assert -1 <= drawn.min() < -0.99
    assert 0.99 < drawn.max() <= 1
    assert abs(drawn.mean()) < 4 * (1 / math.sqrt(3)) / math.sqrt(4000)
    share = np.mean([Speed(0.25).draw(random) != 1 for _ in range(4000)])
    assert share == pytest.approx(0.25, abs=0.03)


def test_pitches() -> None:
    """Uniform in semitones where it is drawn, and none elsewhere."""
    random = np.random.default_rng(0)
    assert {Pitch(0.0).draw(random) for _ in range(50)} == {0.0}
    drawn = np.array([Pitch(1.0, (-3.0, 2.0)).draw(random) for _ in range(4000)])
    assert -3 <= drawn.min() < -2.98 and 1.98 < drawn.max() <= 2
    assert drawn.mean() == pytest.approx(-0.5, abs=4 * 5 / math.sqrt(12 * 4000))
    assert np.mean([Pitch(0.25).draw(random) != 0 for _ in range(4000)]) == pytest.approx(0.25, abs=0.03)


def test_nothing_to_do_does_nothing() -> None:
    assert torch.equal(augment_stems(stems(20), np.random.default_rng(0), AugmentConfig.off()), stems(20))
    assert AugmentConfig.off() == augment_config()


def test_gain_is_uniform_in_decibels_and_one_for_both_channels() -> None:
    config = augment_config(gain={"db": [-9.0, 4.0]})
    out = augment_stems(stems(), np.random.default_rng(0), config).double().numpy()
    gain = 20 * np.log10(out[:, :, 0, 0])
    assert (out[:, :, 1] == 2 * out[:, :, 0]).all()
    assert (out == out[..., :1]).all()
    assert -9 <= gain.min() < -8.9
    assert 3.9 < gain.max() <= 4
    assert gain.mean() == pytest.approx(-2.5, abs=0.4)
    assert np.unique(gain[0]).size == 4, "every stem of a mixture has its own"


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("what", ["polarity", "swap", "silence"])
def test_probabilities(what: str, probability: float) -> None:
    out = augment_stems(stems(), np.random.default_rng(1), augment_config(**{what: probability}))
    changed = {"polarity": [-1.0, -2.0], "swap": [2.0, 1.0], "silence": [0.0, 0.0]}[what]
    hits = (out == torch.tensor(changed).view(1, 1, 2, 1)).all(dim=3).all(dim=2)
    rest = (out == stems()).all(dim=3).all(dim=2)
    assert (hits ^ rest).all(), "a stem is changed in this way or not at all"
    share = hits.double().mean(dim=0)
    tolerance = 4 * math.sqrt(probability * (1 - probability) / 500)
    assert ((share - probability).abs() <= tolerance).all(), "alike for every stem"


def test_mono_has_nothing_to_swap() -> None:
    mono = stems(8)[:, :, 1:]
    assert torch.equal(augment_stems(mono, np.random.default_rng(0), augment_config(swap=1.0)), mono)


def test_the_same_seed_gives_the_same_change() -> None:
    everything = augment_config(gain={"db": [-9.0, 4.0]}, swap=0.5, polarity=0.5, silence=0.1)
    first, again, other = (augment_stems(stems(9), np.random.default_rng(seed), everything) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("effect", [*STEM_EFFECTS, *MIXTURE_EFFECTS])
def test_switching_one_effect_on_leaves_the_draws_of_the_others(effect: str) -> None:
    """Two generators that are used with and without it give the same number afterwards, and the others' effects."""
    some, none = augment_config(**{effect: 1.0}), augment_config()
    after = []
    for config in (some, none):
        random = np.random.default_rng(3)
        apply_effects(torch.ones(2, 3000), list(config.stem_effects.values()), random, RATE)
        apply_effects(torch.ones(4, 2, 3000), list(config.mixture_effects.values()), random, RATE)
        after.append(apply_effects(torch.ones(2, 8), list(augment_config(gain={}).stem_effects.values()), random, RATE))
    assert torch.equal(*after)


@pytest.mark.parametrize(("hz", "expected_db"), [(20, -6.0), (60, -6.0), (980, 0.0), (16000, 6.0), (20000, 6.0)])
def test_an_equaliser_hits_its_points(hz: int, expected_db: float) -> None:
    """Three points: 60 Hz, the geometric middle 980 Hz, 16 kHz; level outside. A sine is scaled and keeps its phase."""
    length = RATE  # whole Hz are whole bins
    sine = torch.sin(2 * torch.pi * hz * torch.arange(length, dtype=torch.float64) / RATE + 0.4).float()
    scaled = equalise(sine, [-6.0, 0.0, 6.0], RATE)
    np.testing.assert_allclose(scaled.numpy(), sine.numpy() * 10 ** (expected_db / 20), atol=2e-3)


def test_an_equaliser_between_its_points_is_straight_in_octaves() -> None:
    hz = np.sqrt(60 * 16000)  # halfway
    sine = torch.sin(2 * torch.pi * round(hz) * torch.arange(RATE, dtype=torch.float64) / RATE).float()
    gain = equalise(sine, [0.0, 8.0], RATE).abs().max().item()
    assert 20 * np.log10(gain) == pytest.approx(4.0, abs=0.05)


def test_a_limiter_holds_peaks_at_the_ceiling_and_leaves_what_is_far_below() -> None:
    audio = torch.full((2, 44100), 0.1)
    audio[:, 20000:20400] = 1.0
    gain = limiting_gain(audio, 0.5)
    limited = audio * gain
    assert limited.abs().max() <= 0.5 * (1 + 1e-5)
    assert limited[:, 20100:20300].min() == pytest.approx(0.5, rel=1e-5)
    assert (gain[:16000] == 1).all() and (gain[24400:] == 1).all(), "80 ms away nothing happens"
    assert gain.diff().abs().max() < 0.001, "the gain moves without a click"


@pytest.mark.parametrize("length", [1, 63, 65, 9000])
def test_a_limiter_takes_any_length_and_silence(length: int) -> None:
    gain = limiting_gain(noise(2, length), 0.5)
    assert gain.shape == (length,) and gain.isfinite().all() and (gain <= 1).all()
    assert torch.equal(limiting_gain(torch.zeros(2, length), 0.0), torch.zeros(length))


def test_a_limiter_treats_all_recordings_of_an_item_alike() -> None:
    recordings = noise(4, 2, 8192) * torch.linspace(0.1, 3, 8192)
    limited = Limiter(1.0, (6.0, 6.0))(recordings, np.random.default_rng(0), RATE)
    gain = limited / recordings
    torch.testing.assert_close(gain, gain[:1, :1].expand_as(gain), rtol=1e-4, atol=1e-6)
    peak = recordings.sum(dim=0).abs().max()
    assert limited.sum(dim=0).abs().max() <= peak * 10 ** (-6 / 20) * 1.001
