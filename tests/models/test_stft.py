"""The STFT and its inverse against explicit NumPy frames, SciPy and a least-squares solver."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from htdemucs_n.models.stft import STFT, _OverlapAdd
from models_helpers import Array, array, noise

SIZES = (16, 512, 1024, 2048, 4096)


def hann(n: int) -> Array:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)


def numpy_spectrum(audio: Array, n_fft: int) -> NDArray[np.complex128]:
    """All n_fft/2 + 1 bins of the frames of `(T,)` centred on m h + h/2, `(bins, T / h)`."""
    hop = n_fft // 4
    frames = []
    for m in range(len(audio) // hop):
        start = m * hop + hop // 2 - n_fft // 2
        samples = [audio[t] if 0 <= t < len(audio) else 0.0 for t in range(start, start + n_fft)]
        frames.append(np.fft.rfft(hann(n_fft) * np.array(samples)) / np.sqrt(n_fft))
    return np.array(frames).T


@pytest.mark.parametrize("n_fft", SIZES)
def test_equals_frames_cut_by_hand(n_fft: int) -> None:
    audio = noise(2, 5 * n_fft // 4, seed=n_fft)
    spectrum = STFT(n_fft)(audio).numpy()
    assert spectrum.shape == (2, n_fft // 2, 5)
    for channel in range(2):
        expected = numpy_spectrum(array(audio[channel]), n_fft)[:-1]
        np.testing.assert_allclose(spectrum[channel], expected, atol=2e-6)


@pytest.mark.parametrize("n_fft", SIZES)
def test_agrees_with_scipy(n_fft: int) -> None:
    audio = array(noise(9 * n_fft // 4))
    hop, window = n_fft // 4, scipy.signal.get_window("hann", n_fft, fftbins=True)
    padded = np.pad(audio, (n_fft - hop) // 2)
    _, _, theirs = scipy.signal.stft(
        padded, window=window, nperseg=n_fft, noverlap=n_fft - hop, boundary=None, padded=False
    )
    theirs = theirs * window.sum() / np.sqrt(n_fft)  # SciPy divides by the sum of the window
    ours = STFT(n_fft)(torch.from_numpy(audio)).numpy()
    np.testing.assert_allclose(ours, theirs[:-1], atol=2e-6)


@pytest.mark.parametrize("n_fft", SIZES)
def test_frame_m_is_centred_on_the_middle_of_hop_m(n_fft: int) -> None:
    """A click there has a flat magnitude and the sign pattern of a shift by half a window."""
    hop, m = n_fft // 4, 3
    audio = torch.zeros(8 * hop)
    audio[m * hop + hop // 2] = 1
    spectrum = STFT(n_fft)(audio)[:, m].numpy()
    expected = (-1.0) ** np.arange(n_fft // 2) / np.sqrt(n_fft)
    np.testing.assert_allclose(spectrum, expected, atol=1e-6)


def test_leading_dimensions_are_transformed_one_by_one() -> None:
    stft, audio = STFT(64), noise(2, 3, 2, 160)
    spectrum = stft(audio)
    assert spectrum.shape == (2, 3, 2, 32, 10)
    torch.testing.assert_close(spectrum[1, 2, 0], stft(audio[1, 2, 0]))
    torch.testing.assert_close(stft.inverse(spectrum)[1, 2, 0], stft.inverse(spectrum[1, 2, 0]))


def test_a_length_between_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="1000 is not a multiple of the hop 128"):
        STFT(512)(torch.zeros(1000))


def test_nothing_of_it_is_stored_or_learned() -> None:
    assert not STFT(512).state_dict() and not list(STFT(512).parameters())


@pytest.mark.parametrize("n_fft", SIZES[1:])
def test_sound_below_nyquist_comes_back(n_fft: int) -> None:
    length = 12 * n_fft
    time = np.arange(length)
    ramp = np.minimum(1, np.minimum(time, time[::-1]) / (2 * n_fft))
    fade = np.sin(np.pi / 2 * ramp) ** 4  # a jump at the edge would reach Nyquist
    tones = [np.sin(2 * np.pi * f * time + f) for f in (0.001, 0.01, 0.13, 0.3, 0.41)]  # cycles a sample
    audio = torch.from_numpy(np.sum(tones, axis=0) * fade).float()
    stft = STFT(n_fft)
    error = (stft.inverse(stft(audio)) - audio).abs().max()
    assert error < 3e-6 * audio.abs().max()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), frames=st.integers(1, 12), n_fft=st.sampled_from((16, 64, 512)))
def test_what_the_round_trip_loses_is_the_nyquist_bin_alone(seed: int, frames: int, n_fft: int) -> None:
    """For any signal and length: adding back the missing bin's cosine, frame by frame, restores the signal."""
    hop = n_fft // 4
    audio = noise(frames * hop, seed=seed)
    nyquist = numpy_spectrum(array(audio), n_fft)[-1].real / np.sqrt(n_fft)
    missing, weight = np.zeros((frames + 3) * hop), np.zeros((frames + 3) * hop)
    for m in range(frames):
        inside = slice(m * hop, m * hop + n_fft)
        missing[inside] += hann(n_fft) * nyquist[m] * (-1.0) ** np.arange(n_fft)
        weight[inside] += hann(n_fft) ** 2
    start = (n_fft - hop) // 2
    cut = slice(start, start + frames * hop)
    returned = array(STFT(n_fft).inverse(STFT(n_fft)(audio)))
    np.testing.assert_allclose(returned + missing[cut] / weight[cut], array(audio), atol=5e-5)


def test_the_inverse_of_any_spectrum_is_the_least_squares_signal() -> None:
    """No signal has this spectrum; the inverse is the one whose windowed frames come nearest."""
    n_fft, hop, frames = 16, 4, 6
    real, imaginary = noise(2, n_fft // 2, frames)
    imaginary[0] = 0  # a real signal's mean
    spectrum = torch.complex(real, imaginary)
    pieces = np.fft.irfft(np.pad(spectrum.numpy().T, ((0, 0), (0, 1))), n=n_fft, axis=1) * np.sqrt(n_fft)
    analysis = np.zeros((frames, n_fft, (frames + 3) * hop))
    for m in range(frames):
        analysis[m, np.arange(n_fft), m * hop + np.arange(n_fft)] = hann(n_fft)
    signal, *_ = np.linalg.lstsq(analysis.reshape(frames * n_fft, -1), pieces.reshape(-1), rcond=None)
    start = (n_fft - hop) // 2
    expected = signal[start : start + frames * hop]
    np.testing.assert_allclose(STFT(n_fft).inverse(spectrum).numpy(), expected, atol=1e-5)


def test_overlap_add_adds_and_its_gradient_is_the_adjoint() -> None:
    pieces = noise(2, 5, 8, dtype=torch.float64).requires_grad_()
    expected = np.zeros((2, 16))
    for m in range(5):
        expected[:, 2 * m : 2 * m + 8] += array(pieces)[:, m]
    np.testing.assert_allclose(array(_OverlapAdd.apply(pieces)), expected, atol=1e-14)
    assert torch.autograd.gradcheck(_OverlapAdd.apply, (pieces,))


def test_gradients_of_the_round_trip_are_right() -> None:
    """Through the float32 transform: a directional derivative of a quadratic, which differences get exactly."""
    stft, audio, direction = STFT(16), noise(48).requires_grad_(), noise(48, seed=1)

    def energy(x: torch.Tensor) -> torch.Tensor:
        return stft.inverse(stft(x) * (0.5 + 0.25j)).double().square().sum()

    energy(audio).backward()
    with torch.no_grad():
        difference = (energy(audio + direction) - energy(audio - direction)) / 2
    assert audio.grad is not None
    assert float((audio.grad * direction).sum()) == pytest.approx(float(difference), rel=1e-4)


@pytest.mark.parametrize("n_fft", [16, 512])
def test_the_adjoint_of_the_inverse_by_its_definition(n_fft: int) -> None:
    """<inverse(Y), g> = <Y, adjoint(g)>, real and imaginary parts as coordinates."""
    stft = STFT(n_fft).double()
    spectrum = torch.complex(noise(2, 3, n_fft // 2, 5), noise(2, 3, n_fft // 2, 5, seed=1)).to(torch.complex128)
    gradient = noise(2, 3, 5 * n_fft // 4, seed=2).double()
    out = (stft.inverse(spectrum) * gradient).sum()
    back = (torch.view_as_real(spectrum) * torch.view_as_real(stft.inverse_adjoint(gradient))).sum()
    torch.testing.assert_close(out, back)
