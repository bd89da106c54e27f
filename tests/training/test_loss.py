"""The loss against NumPy, and its gradients where magnitudes vanish."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import get_window

from htdemucs_n.training.loss import SeparationLoss

N_FFTS = (512, 2048, 4096)


def pair(samples: int = 9000) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    estimate, reference = torch.randn(2, 2, 4, 2, samples, generator=random).unbind(0)
    return estimate, reference


def magnitudes(audio: NDArray[np.float64], n_fft: int) -> NDArray[np.float64]:
    """Frames centred on every n_fft / 4 samples, reflected at the ends, under a Hann window."""
    padded = np.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(n_fft // 2, n_fft // 2)], mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=-1)[..., :: n_fft // 4, :]
    spectrum = np.fft.rfft(frames * get_window("hann", n_fft)) / np.sqrt(n_fft)
    return np.asarray(np.sqrt(np.abs(spectrum) ** 2 + 1e-6))


def test_l1_on_waveforms() -> None:
    estimate, reference = pair()
    expected = np.mean(np.abs(estimate.double().numpy() - reference.double().numpy()))
    assert SeparationLoss()(estimate, reference).item() == pytest.approx(expected, rel=1e-6)
    assert SeparationLoss()(reference, reference).item() == 0


def test_l2_on_waveforms() -> None:
    estimate, reference = pair()
    expected = 2 * np.mean((estimate.double().numpy() - reference.double().numpy()) ** 2)
    assert SeparationLoss("l2")(estimate, reference).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_spectral_term(weight: float) -> None:
    estimate, reference = pair()
    x, y = estimate.double().numpy(), reference.double().numpy()
    spectral = np.mean([np.mean(np.abs(magnitudes(x, n) - magnitudes(y, n))) for n in N_FFTS])
    expected = np.mean(np.abs(x - y)) + weight * spectral
    assert SeparationLoss("l1", weight)(estimate, reference).item() == pytest.approx(expected, rel=1e-5)
    assert SeparationLoss("l1", weight)(reference, reference).item() == 0


def test_the_spectral_term_does_not_hear_phase() -> None:
    """A flipped sign costs |2 s| on the waveform and nothing on magnitudes."""
    _, reference = pair()
    assert SeparationLoss("l1", 10.0)(-reference, reference).item() == pytest.approx(
        2 * reference.abs().mean().item(), rel=1e-5
    )


@pytest.mark.parametrize("weight", [0.0, 1.0])
@pytest.mark.parametrize("silent", ["estimate", "reference", "both"])
def test_gradients_are_finite_at_silence(weight: float, silent: str) -> None:
    estimate, reference = pair()
    estimate = estimate * (silent == "reference")
    reference = reference * (silent == "estimate")
    estimate.requires_grad_()
    SeparationLoss("l1", weight)(estimate, reference).backward()
    assert estimate.grad is not None
    assert estimate.grad.isfinite().all()
    assert bool(estimate.grad.any()) == (silent != "both")


def test_the_gradient_is_that_of_the_formula() -> None:
    """Against central differences of the NumPy reference, for a few samples."""
    estimate, reference = (tensor[:1, :1, :1].double() for tensor in pair(5000))
    estimate.requires_grad_()
    SeparationLoss("l1", 1.0)(estimate.float(), reference.float()).backward()
    assert estimate.grad is not None
    x, y = estimate.detach().numpy(), reference.numpy()

    def loss(audio: NDArray[np.float64]) -> float:
        spectral = [np.mean(np.abs(magnitudes(audio, n) - magnitudes(y, n))) for n in N_FFTS]
        return float(np.mean(np.abs(audio - y)) + np.mean(spectral))

    for sample in (0, 1, 2500, 4999):
        step = np.zeros_like(x)
        step[..., sample] = 1e-5
        slope = (loss(x + step) - loss(x - step)) / 2e-5
        assert estimate.grad[0, 0, 0, sample].item() == pytest.approx(slope, rel=2e-2, abs=2e-6)


def test_nothing_counts_above_a_recordings_bandwidth() -> None:
    """A wrong tone at 10 kHz costs nothing in a stem recorded up to 8 kHz, and its full price in the others."""
    samples = 44100
    reference = torch.zeros(1, 2, 2, samples)
    tone = torch.sin(2 * torch.pi * 10000 * torch.arange(samples, dtype=torch.float64) / 44100).float()
    estimate = tone.expand(1, 2, 2, samples).clone().requires_grad_()
    loss = SeparationLoss()(estimate, reference, torch.tensor([[8000.0, float("inf")]]))
    assert loss.item() == pytest.approx(tone.abs().mean().item() / 2, rel=1e-4)


def test_no_gradient_reaches_what_lies_above_a_recordings_bandwidth() -> None:
    estimate, reference = pair(8192)
    estimate.requires_grad_()
    SeparationLoss()(estimate, reference, torch.tensor([[8000.0] * 4, [float("inf")] * 4])).backward()
    assert estimate.grad is not None
    spectrum = torch.fft.rfft(estimate.grad).abs()
    edge = int(8000 * 8192 / 44100) + 1
    limited, whole = spectrum[0, ..., edge:], spectrum[1, ..., edge:]
    assert limited.max() < 1e-4 * whole.max()
    assert spectrum[0, ..., :edge].mean() > 0.5 * spectrum[1, ..., :edge].mean()


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_below_the_bandwidth_everything_counts(weight: float) -> None:
    """Of noise, the part below the cutoff remains, as an ideal filter in NumPy leaves it."""
    estimate, reference = pair(8192)
    cutoff = torch.tensor([[5000.0, 22050.0, 3000.0, float("inf")], [float("inf")] * 4])
    spectrum = np.fft.rfft((estimate - reference).double().numpy())
    frequencies = np.fft.rfftfreq(8192, 1 / 44100)
    spectrum *= frequencies <= cutoff.numpy()[:, :, None, None]
    error = np.fft.irfft(spectrum, 8192)
    heard = (reference.double() + torch.from_numpy(error)).float()
    expected = SeparationLoss("l1", weight)(heard, reference).item()
    assert SeparationLoss("l1", weight)(estimate, reference, cutoff).item() == pytest.approx(expected, rel=1e-4)


def test_without_band_limits_the_cutoff_changes_nothing() -> None:
    estimate, reference = pair()
    full = torch.full((2, 4), 22050.0)
    assert torch.equal(SeparationLoss()(estimate, reference, full), SeparationLoss()(estimate, reference))
