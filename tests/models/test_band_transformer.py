"""The network of the spectrum alone: its sums, its levels, its context in time and bands, the order of its masks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_helpers import TINY_BANDS, tiny_bands
from htdemucs_n.errors import UserError
from htdemucs_n.models.band_transformer import BandTransformerConfig
from htdemucs_n.models.stft import STFT


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("keys", [{}, {"n_ffts": (512, 4096), "mask_n_fft": 1024}, {"band_mixer": "attention"}])
@settings(max_examples=8, deadline=None)
@given(samples=st.integers(1, 30_000))
def test_stems_of_any_length_add_up_to_the_mixture(keys: dict[str, Any], samples: int) -> None:
    mixture = noise(1, 2, samples)
    with torch.no_grad():
        stems = tiny_bands(**keys)(mixture)
    assert stems.shape == (1, 4, 2, samples)
    torch.testing.assert_close(stems.sum(dim=1), mixture, atol=2e-6, rtol=1e-5)


def test_masks_of_zero_share_the_mixture_out_evenly() -> None:
    model, mixture = tiny_bands(), noise(2, 2, 9000)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".merge." in name:
                parameter.zero_()
        torch.testing.assert_close(model(mixture), mixture[:, None].expand(-1, 4, -1, -1) / 4)


@pytest.mark.parametrize("gain", [1e-2, 30.0])
def test_stems_follow_the_level_of_the_mixture(gain: float) -> None:
    model, mixture = tiny_bands(), noise(1, 2, 22050)
    with torch.no_grad():
        torch.testing.assert_close(model(gain * mixture) / gain, model(mixture), atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("time_attention", ["linear", "softmax"])
def test_attention_reaches_over_the_whole_segment(time_attention: str) -> None:
    """The end of 4 s of sound changes the stems of its beginning, which lies further away than any kernel."""
    model, mixture = tiny_bands(time_attention=time_attention, use_train_segment=False), noise(1, 2, 4 * 44100)
    other = mixture.clone()
    other[..., -20_000:] = other[..., -20_000:].flip(-1)  # of the same level
    with torch.no_grad():
        change = (model(other) - model(mixture))[..., :20_000].abs().max()
    assert change > 1e-6


@pytest.mark.parametrize("band_mixer", ["linear", "attention"])
def test_every_band_depends_on_the_others(band_mixer: str) -> None:
    """A tone at 9 kHz changes the mask of the lowest band, in which it has no energy."""
    model = tiny_bands(band_mixer=band_mixer, time_kernel=1).blocks
    tokens = noise(24, 1, 5, 16)
    other = tokens.clone()
    other[20] += noise(1, 5, 16).flip(-1)
    with torch.no_grad():
        assert (model(other) - model(tokens))[0].abs().max() > 1e-4


class Ones(torch.nn.Module):
    """Hidden values of 1 for any tokens."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones(*x.shape[:-1], TINY_BANDS["head_channels"])


def test_masks_of_a_shorter_stft_follow_in_time() -> None:
    """Masks that pass the first of two frames of a step: the stem is the inverse STFT of every second frame."""
    model, mixture = tiny_bands(mask_n_fft=2048, use_train_segment=False), noise(1, 2, 20 * 1024)
    for head in model.heads:
        head.hidden = Ones()
        for weight in head.merge.weights:
            bins = weight.shape[-1] // (2 * 2 * 2)
            masks = torch.zeros(weight.shape[0], weight.shape[1], 2, 2, bins, 2)  # frame, channel, bin, part
            if head is model.heads[0]:
                masks[:, :, 0, :, :, 0] = 10.0
            weight.data = masks.flatten(2)
    stft = STFT(2048)
    spectrum = stft(mixture)
    spectrum[..., 1::2] = 0
    drums = stft.inverse(spectrum)
    remainder = (mixture - drums) / 4
    with torch.no_grad():
        stems = model(mixture)
    torch.testing.assert_close(stems[:, 0], drums + remainder, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(stems[:, 1], remainder, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("time_attention", "none"),
        ("band_mixer", "lstm"),
        ("mask_n_fft", 3000),
        ("n_ffts", (8192,)),
        ("band_zones", ((16, 8),)),
        ("heads", 0),
        ("time_kernel", 8),
        ("blocks", "five"),
    ],
)
def test_a_value_that_cannot_be_built_is_one_line(key: str, value: Any) -> None:
    with pytest.raises(UserError, match=key) as caught:
        BandTransformerConfig.from_dict(TINY_BANDS | {key: value})
    assert "\n" not in str(caught.value)


def test_an_unknown_key_gets_the_nearest_name() -> None:
    with pytest.raises(UserError, match="'blocks'"):
        BandTransformerConfig.from_dict({"block": 3})
