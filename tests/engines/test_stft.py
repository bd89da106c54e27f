"""The STFT in NumPy against that of PyTorch, and against the official Demucs' conventions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as strategies
from numpy.typing import NDArray

from htdemucs_n.engines.stft import STFT
from htdemucs_n.models import stft as of_torch


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("n_fft", [512, 1024, 2048, 4096])
@settings(max_examples=10, deadline=None)
@given(frames=strategies.integers(1, 12))
def test_equals_the_transform_of_the_networks(n_fft: int, frames: int) -> None:
    ours, theirs = STFT(n_fft), of_torch.STFT(n_fft)
    audio = noise(2, frames * n_fft // 4)
    spectrum = theirs(torch.from_numpy(audio))
    np.testing.assert_allclose(ours.forward(audio), spectrum.transpose(-1, -2).numpy(), atol=1e-5)
    written = noise(2, frames, n_fft // 2, 2).view(np.complex64)[..., 0]
    expected = theirs.inverse(torch.from_numpy(written).transpose(-1, -2)).numpy()
    np.testing.assert_allclose(ours.inverse(np.split(written, [frames // 3], axis=1), frames), expected, atol=1e-5)


def test_results_are_single_precision() -> None:
    stft = STFT(512)
    spectrum = stft.forward(noise(2, 1024))
    assert spectrum.dtype == np.complex64 and stft.inverse([spectrum], 8).dtype == np.float32


@pytest.mark.parametrize("length", [8192, 8100, 7000])
def test_mirrored_edges_are_those_of_the_official_demucs(length: int) -> None:
    """Its `_spec` and `_ispec` in terms of torch.stft: padding of 1.5 hops, two frames dropped at each end."""
    n_fft, hop, audio = 4096, 1024, torch.from_numpy(noise(2, length))
    frames = -(-length // hop)
    window, pad = torch.hann_window(n_fft), hop // 2 * 3
    padded = torch.nn.functional.pad(audio, (pad, pad + frames * hop - length), mode="reflect")
    options = {"window": window, "normalized": True, "center": True}
    theirs = torch.stft(padded, n_fft, hop, return_complex=True, **options)[:, :-1, 2 : 2 + frames]
    ours = STFT(n_fft, "reflect")
    spectrum = ours.forward(audio.numpy())
    np.testing.assert_allclose(spectrum, theirs.transpose(-1, -2).numpy(), atol=1e-5)

    with_ends = torch.nn.functional.pad(theirs, (2, 2, 0, 1))
    back = torch.istft(with_ends, n_fft, hop, length=frames * hop + 2 * pad, **options)[:, pad : pad + frames * hop]
    np.testing.assert_allclose(ours.inverse([spectrum], frames), back.numpy(), atol=1e-5)
