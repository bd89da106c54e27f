"""Idea 1: features against NumPy, and the three ways of fusing them against each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from htdemucs_n.models.multi_resolution_stft import (
    MultiResolutionEncoder,
    MultiResolutionSTFT,
    phasor_features,
)
from htdemucs_n.models.stft import STFT, real_pairs
from models_helpers import array, noise, numpy_layer

N_FFTS = (512, 1024, 2048, 4096)
ZONES = ((16, 8), (8, 240))


def encoder(fusion_method: str, n_ffts: tuple[int, ...] = N_FFTS, seed: int = 0) -> MultiResolutionEncoder:
    torch.manual_seed(seed)
    return MultiResolutionEncoder(6, 8, n_ffts, ZONES, fusion_method)


def features(seed: int = 0) -> list[torch.Tensor]:
    return MultiResolutionSTFT(N_FFTS)(noise(2, 2, 3 * 1024, seed=seed))


def test_features_are_log_magnitude_and_unit_phasor() -> None:
    spectrum = torch.complex(*noise(2, 1, 2, 5, 4).unbind())
    values = spectrum.numpy().astype(np.complex128)
    loudness = np.log(1 + 1000 * np.abs(values)) / np.log(1001)
    phase = np.angle(values)
    expected = np.concatenate([loudness, np.cos(phase), np.sin(phase)], axis=1)
    found = phasor_features(real_pairs(spectrum)).transpose(-1, -2)  # frames are outermost in the features
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


def test_a_phase_that_crosses_pi_does_not_jump() -> None:
    below, above = torch.polar(
        torch.ones(2, 1, 1, 1), torch.tensor([np.pi - 1e-3, -np.pi + 1e-3]).reshape(2, 1, 1, 1).float()
    )
    step = phasor_features(real_pairs(below[None])) - phasor_features(real_pairs(above[None]))
    assert float(step.abs().max()) < 2.1e-3


def test_silence_has_no_phase_and_no_nan() -> None:
    assert not phasor_features(torch.zeros(1, 2, 3, 4, 2)).any()


def test_one_entry_a_resolution_and_no_parameters() -> None:
    audio = noise(2, 2, 3 * 1024)
    module = MultiResolutionSTFT(N_FFTS)
    entries = module(audio)
    assert [tuple(x.shape) for x in entries] == [(2, 6, 3 * 4096 // n, n // 2) for n in N_FFTS]
    assert not list(module.parameters())
    for n_fft, entry in zip(N_FFTS, entries, strict=True):
        torch.testing.assert_close(entry, phasor_features(real_pairs(STFT(n_fft)(audio))))


def test_a_click_stands_in_the_same_frame_of_every_resolution() -> None:
    audio = torch.zeros(1, 1, 8 * 1024)
    audio[..., 5 * 1024 + 512] = 1
    for entry in MultiResolutionSTFT(N_FFTS)(audio):
        loudness = entry[0, 0].sum(dim=1).reshape(8, -1).sum(dim=1)  # (frames of the common grid,)
        assert int(loudness.argmax()) == 5


@pytest.mark.parametrize("method", ["attention", "concat", "add"])
def test_all_resolutions_are_on_one_grid(method: str) -> None:
    assert encoder(method)(features()).shape == (2, 8, 24, 3)


def test_attention_starts_as_plain_concatenation() -> None:
    weighted, plain = encoder("attention"), encoder("concat")
    missing, unexpected = plain.load_state_dict(weighted.state_dict(), strict=False)
    assert not missing and unexpected == ["resolution_logits"]
    torch.testing.assert_close(weighted(features()), plain(features()))


def test_attention_scales_each_resolution_by_its_softmaxed_weight() -> None:
    weighted, plain = encoder("attention"), encoder("concat")
    plain.load_state_dict(weighted.state_dict(), strict=False)
    logits = np.array([0.3, -1.0, 2.0, 0.0])
    weights = np.exp(logits) / np.exp(logits).sum()
    with torch.no_grad():
        weighted.resolution_logits.copy_(torch.from_numpy(logits))
        scale = torch.from_numpy(4 * weights).float().repeat_interleave(8)  # a weight for each 8 channels
        plain.fusion[0].weight.mul_(scale[None, :, None, None])
    torch.testing.assert_close(weighted(features()), plain(features()), atol=1e-5, rtol=1e-5)


def test_add_is_concatenation_with_one_shared_matrix() -> None:
    added, plain = encoder("add"), encoder("concat")
    state = added.state_dict()
    state["fusion.0.weight"] = state["fusion.0.weight"].repeat(1, 4, 1, 1)
    plain.load_state_dict(state)
    torch.testing.assert_close(added(features()), plain(features()), atol=1e-5, rtol=1e-5)


def test_the_output_depends_on_each_resolution() -> None:
    """Changing any one entry of the list changes the output."""
    module, entries = encoder("attention"), features()
    before = module(entries)
    for index in range(4):
        changed = list(entries)
        changed[index] = changed[index] * 0.5
        assert not torch.allclose(module(changed), before)


def test_a_processor_is_patches_relu_conv_relu() -> None:
    """The middle of the chain against NumPy, from the patches that `test_models_bands` checks."""
    module = encoder("concat", n_ffts=(4096,))
    entry = MultiResolutionSTFT((4096,))(noise(1, 2, 3 * 1024))
    patches = array(module.processors[0][0](entry[0]))
    expected = numpy_layer(module.fusion, numpy_layer(module.processors[0][1:], patches))
    np.testing.assert_allclose(array(module(entry)), expected, atol=1e-5)
