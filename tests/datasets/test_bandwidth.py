"""The measured bandwidth against limits that are known: resampled noise, ideal filters, codecs, instruments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from audio_helpers import encode
from htdemucs_n.audio import read_audio, resample
from htdemucs_n.datasets.bandwidth import bandwidth

RATE = 44100
NYQUIST = RATE / 2


def noise(seconds: float = 4.0, rate: int = RATE, slope: float = 0.0, seed: int = 0) -> NDArray[np.float32]:
    """Stereo noise `(2, T)` whose spectrum falls by `slope` dB an octave, peak 0.5."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.standard_normal((2, round(seconds * rate))))
    frequency = np.fft.rfftfreq(round(seconds * rate), 1 / rate)
    spectrum *= np.maximum(frequency, 50) ** (-slope / 20 / np.log10(2))
    samples = np.fft.irfft(spectrum, n=round(seconds * rate))
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def cut(samples: NDArray[np.float32], frequency: float) -> NDArray[np.float32]:
    """Nothing above `frequency`, all below."""
    spectrum = np.fft.rfft(samples)
    spectrum[:, np.fft.rfftfreq(samples.shape[1], 1 / RATE) > frequency] = 0
    return np.fft.irfft(spectrum, n=samples.shape[1]).astype(np.float32)


def to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.round(samples * 32767).astype(np.int16)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000])
@pytest.mark.parametrize("slope", [0.0, 6.0])
def test_a_recording_at_a_lower_rate(rate: int, slope: float) -> None:
    """A resampler's own slope begins at nine tenths of half the rate."""
    measured = bandwidth(to_int16(resample(noise(rate=rate, slope=slope), rate, RATE)), RATE)
    assert 0.89 * rate / 2 <= measured <= rate / 2 + 100


@settings(max_examples=30, deadline=None)
@given(
    frequency=st.floats(3500, 20500),
    floor_db=st.sampled_from([-120.0, -90.0, -70.0]),
    slope=st.floats(0, 9),
    seed=st.integers(0, 99),
)
def test_an_ideal_cut_over_a_noise_floor(frequency: float, floor_db: float, slope: float, seed: int) -> None:
    samples = cut(noise(2.0, slope=slope, seed=seed), frequency)
    # Bands of treble well over the floor, or there is no cliff to be seen.
    floor = np.random.default_rng(seed + 1).standard_normal(samples.shape) * 10 ** (floor_db / 20)
    treble = scipy.signal.welch(samples[0], RATE, nperseg=4096)[1]
    edge = int(frequency / RATE * 4096)
    under = scipy.signal.welch(floor[0], RATE, nperseg=4096)[1].mean()
    depth = 10 * np.log10(treble[edge - 30 : edge - 5].mean() / under)
    measured = bandwidth((samples + floor).astype(np.float32), RATE)
    if depth > 28:
        assert measured == pytest.approx(frequency, abs=250)
    elif depth < 15:
        assert measured == NYQUIST


@pytest.mark.parametrize("slope", [0.0, 3.0, 6.0, 12.0, 18.0])
def test_slow_slopes_have_no_cliff(slope: float) -> None:
    assert bandwidth(to_int16(noise(slope=slope)), RATE) == NYQUIST


@pytest.mark.parametrize("frequency", [100, 300, 1000, 4000])
def test_the_filter_of_an_instrument_is_no_cliff(frequency: float) -> None:
    """24 dB an octave, as in a synthesiser: below 16 bits from some octaves above, without a cliff."""
    filtered = scipy.signal.sosfilt(scipy.signal.butter(4, frequency, fs=RATE, output="sos"), noise())
    assert bandwidth(to_int16(filtered.astype(np.float32)), RATE) == NYQUIST


@pytest.mark.parametrize("pitch", [41.2, 110.0, 261.6, 440.0])
def test_partials_of_one_note_are_no_cliffs(pitch: float) -> None:
    """A sawtooth to the top of the spectrum, over little breath; and the same note from a 16 kHz recording."""
    time = np.arange(2 * RATE) / RATE
    partials = range(1, int(NYQUIST / pitch) + 1)
    note = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in partials) * 0.2
    breath = 1e-3 * np.random.default_rng(0).standard_normal(len(time))
    full = (note + breath)[None].astype(np.float32)
    assert bandwidth(to_int16(full), RATE) == NYQUIST
    highest = 7900 // pitch * pitch
    assert bandwidth(to_int16(cut(full, 7900)), RATE) == pytest.approx(highest, abs=300)


def test_rare_treble_counts() -> None:
    """Esses in a fiftieth of the time, 30 dB under the vowels, show that the recording has them."""
    samples = cut(noise(20.0, slope=9), 6000)
    for start in range(0, 20 * RATE, RATE):
        samples[:, start : start + RATE // 50] += noise(0.02, seed=start) * 0.03
    assert bandwidth(to_int16(samples), RATE) == NYQUIST


@pytest.mark.parametrize("slope", [0.0, 12.0])
def test_quiet_treble_under_the_cut_of_a_codec_counts(slope: float) -> None:
    """A voice that falls at 5 kHz, and a cut at 17 kHz: what lies between is treble if it falls, else a floor."""
    loud, quiet = cut(noise(slope=6), 5000), cut(noise(slope=slope, seed=1), 17_000)
    level = 10 ** (-25 / 20) if slope else 10 ** (-60 / 20)
    edge = np.abs(np.fft.rfft(loud))[:, 4 * 4500 : 4 * 4900].mean()
    quiet *= level * edge / np.abs(np.fft.rfft(quiet))[:, 4 * 5100 : 4 * 5500].mean()
    expected = 17_000 if slope else 5000
    assert bandwidth(loud + quiet, RATE) == pytest.approx(expected, abs=300)


@pytest.mark.parametrize("bit_rate", [32_000, 64_000, 128_000])
def test_mp3(tmp_path: Path, bit_rate: int) -> None:
    """LAME cuts at a frequency that depends on the bit rate: what lies above is 40 dB under what lies below."""
    encode(tmp_path / "a.mp3", noise(slope=3), RATE, "mp3", bit_rate=bit_rate)
    samples = read_audio(tmp_path / "a.mp3").samples
    measured = bandwidth(to_int16(samples), RATE)
    assert measured < 18_000
    frequency, power = scipy.signal.welch(samples[0], RATE, nperseg=4096)
    below = power[(frequency > measured - 1000) & (frequency < measured - 100)]
    assert power[frequency > measured + 1000].max() < 1e-4 * below.mean()


def test_vorbis_after_a_16_khz_recording(tmp_path: Path) -> None:
    file = tmp_path / "a.ogg"
    soundfile.write(file, resample(noise(rate=16000, slope=3), 16000, RATE).T, RATE, subtype="VORBIS")
    assert 7000 <= bandwidth(to_int16(read_audio(file).samples), RATE) <= 8200


def test_scale_and_type_do_not_matter() -> None:
    samples = cut(noise(), 9000)
    expected = bandwidth(samples, RATE)
    assert expected == pytest.approx(9000, abs=200)
    assert bandwidth(samples * 1000, RATE) == expected
    assert bandwidth(to_int16(samples), RATE) == expected
    assert bandwidth(samples[:1], RATE) == pytest.approx(expected, abs=100)


def test_anti_phase_stereo() -> None:
    left = cut(noise(), 9000)[:1]
    assert bandwidth(np.concatenate([left, -left]), RATE) == pytest.approx(9000, abs=200)


@pytest.mark.parametrize("samples", [0, 1, 100, 4096, 50_000])
@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_silence_and_short_recordings(samples: int, rate: int) -> None:
    assert bandwidth(np.zeros((2, samples), np.int16), rate) == rate / 2
    click = np.zeros((1, samples), np.float32)
    click[:, :1] = 1
    assert bandwidth(click, rate) == rate / 2
