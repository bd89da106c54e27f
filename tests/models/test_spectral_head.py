"""The spectral head: each kind against its formula, and the properties that the formula has."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from htdemucs_n.models import masked_synthesis
from htdemucs_n.models.spectral_head import SpectralHead
from htdemucs_n.models.stft import STFT
from models_helpers import Array, array, noise, numpy_layer

ZONES = ((4, 8), (2, 24), (3, 656))
CHANNELS, DIM, BANDS, STEMS, FRAMES = 5, 6, 9, 4, 3
KINDS = ("mask", "softmax", "mapping")


def head(kind: str) -> SpectralHead:
    torch.manual_seed(0)
    return SpectralHead(kind, CHANNELS, DIM, ZONES, STEMS, audio_channels=2)


def inputs(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    spectrum = torch.complex(*noise(2, 2, 2, 2048, FRAMES, seed=seed + 2).unbind())
    return noise(2, CHANNELS, BANDS, FRAMES, seed=seed), noise(2, DIM, FRAMES, seed=seed + 1), spectrum


def raw_values(module: SpectralHead, grid: torch.Tensor, tokens: torch.Tensor) -> tuple[Array, Array]:
    """The output of the network before the kind's formula: a and b, each `(B, S, C, 2048, frames)`."""
    features = numpy_layer(module.from_tokens, array(tokens)).reshape(2, 4, BANDS, FRAMES)
    mixed = numpy_layer(module.mix, np.concatenate([array(grid), features], axis=1))
    values = array(module.merge(torch.from_numpy(mixed).float()))
    values = values.reshape(2, STEMS, 2, 2048, FRAMES, 2)
    return values[..., 0], values[..., 1]


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_formula(kind: str) -> None:
    module, (grid, tokens, spectrum) = head(kind), inputs()
    a, b = raw_values(module, grid, tokens)
    x = spectrum.numpy()[:, None]
    softmax = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    expected = {
        "mask": (np.tanh(a) + 1j * np.tanh(b)) * x,
        "softmax": (softmax + 1j * np.tanh(b)) * x,
        "mapping": a + 1j * b,
    }[kind]
    stems = module(grid, tokens, spectrum)
    assert stems.shape == (2, STEMS, 2, 2048, FRAMES) and stems.dtype == torch.complex64
    np.testing.assert_allclose(stems.detach().numpy(), expected, atol=2e-5)


def test_masks_are_bounded_and_leave_silence_silent() -> None:
    for kind in ("mask", "softmax"):
        module, (grid, tokens, spectrum) = head(kind), inputs()
        ratio = module(1e4 * grid, tokens, spectrum).abs() / spectrum.abs()[:, None]
        assert float(ratio.detach().max()) <= np.sqrt(2) * (1 + 1e-5)
        assert not module(grid, tokens, torch.zeros_like(spectrum)).any()


def test_softmax_magnitudes_share_the_mixture_out() -> None:
    """The real parts of the masks sum to 1: with the imaginary part off, stems sum to the mixture."""
    module, (grid, tokens, spectrum) = head("softmax"), inputs()
    with torch.no_grad():
        for (_, k), weight in zip(ZONES, module.merge.weights, strict=True):
            weight.unflatten(-1, (STEMS, 2, k, 2))[..., 1] = 0
    torch.testing.assert_close(module(grid, tokens, spectrum).sum(dim=1), spectrum)


def test_mapping_depends_on_the_mixture_only_through_the_network() -> None:
    module, (grid, tokens, spectrum) = head("mapping"), inputs()
    assert torch.equal(module(grid, tokens, spectrum), module(grid, tokens, 0 * spectrum))


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_reach_the_spectrum(kind: str) -> None:
    module, (grid, tokens, spectrum) = head(kind), inputs()
    changed = tokens.clone()
    changed[:, :, 1] += 1
    difference = (module(grid, changed, spectrum) - module(grid, tokens, spectrum)).abs().sum(dim=(0, 1, 2, 3))
    assert difference[1] > 0 and difference[0] == difference[2] == 0, "each its own frame"


@pytest.mark.parametrize("kind", KINDS)
def test_waveforms_and_their_gradients_equal_the_inverse_of_the_spectra(kind: str) -> None:
    """The mask is applied piece by piece with a gradient rule of its own; here is the plain way."""
    module, (grid, tokens, spectrum), stft = head(kind), inputs(), STFT(4096)
    values = [grid.requires_grad_(), tokens.requires_grad_(), *module.parameters()]

    def both(stems: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        weight = noise(*stems.shape, seed=9)
        return stems.detach(), torch.autograd.grad((stems * weight).sum(), values)

    quick, quick_gradients = both(module.waveforms(grid, tokens, spectrum, stft))
    plain, plain_gradients = both(stft.inverse(module(grid, tokens, spectrum)))
    torch.testing.assert_close(quick, plain, atol=1e-5, rtol=1e-4)
    for a, b in zip(quick_gradients, plain_gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5 * float(b.abs().max()), rtol=1e-4)


def test_waveforms_are_the_same_in_one_piece_as_in_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other devices do at once, a CPU does stem by stem."""
    module, given, stft = head("mask"), inputs(), STFT(4096)
    many = module.waveforms(*given, stft)
    monkeypatch.setattr(masked_synthesis, "_pieces", lambda *_: [masked_synthesis._Piece(slice(None), slice(None))])
    torch.testing.assert_close(module.waveforms(*given, stft), many, atol=1e-6, rtol=1e-5)
