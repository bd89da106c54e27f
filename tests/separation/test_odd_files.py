"""Unusual but valid files, from the file to the written stems: right values, no NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.io import wavfile

from audio_helpers import GAINS, SOURCES, tones
from graph_helpers import SplitGraph
from htdemucs_n.separation import Output, Separator, StemChoice, separate_track


def noise(channels: int) -> NDArray[np.float64]:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (channels, 5000))
    samples -= samples.mean(1, keepdims=True)
    return samples


def separate(path: Path, samples: NDArray[np.floating], rate: int) -> list[NDArray[np.float32]]:
    """Write `(C, T)` to `path`, separate, write the stems as float; returns them `(C, T)` read by SciPy."""
    soundfile.write(path, samples.T, rate, subtype="FLOAT")
    files = {source: path.parent / "stems" / f"{source}.wav" for source in SOURCES}
    separator = Separator(SplitGraph(segment=1))
    separate_track(path, files, separator, StemChoice(SOURCES), Output(depth="float32"))
    stems = []
    for source in SOURCES:
        written_rate, written = wavfile.read(path.parent / "stems" / f"{source}.wav")
        assert written_rate == rate
        stems.append(written.reshape(len(written), -1).T)
    return stems


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        pytest.param(np.zeros((2, 5000)), 44100, id="silent"),
        pytest.param(noise(1), 44100, id="mono"),
        pytest.param(noise(1) * [[1], [-1]], 44100, id="anti-phase"),
        pytest.param(tones((440, 660), 8000), 8000, id="8 kHz"),
        pytest.param(tones((440, 660), 192000), 192000, id="192 kHz"),
    ],
)
def test_stems_have_their_values(tmp_path: Path, samples: NDArray[np.floating], rate: int) -> None:
    inner = slice(rate // 50, -rate // 50)  # where resampling does not feel the ends
    for stem, gain in zip(separate(tmp_path / "a.wav", samples, rate), GAINS, strict=True):
        assert stem.shape == samples.shape
        assert np.isfinite(stem).all()
        assert np.abs(stem - gain * samples)[:, inner].max() < 1e-4


def test_5_1_gives_the_stems_of_its_downmix(tmp_path: Path) -> None:
    left, right, centre, _, back_left, back_right = surround = noise(6)
    downmix = np.stack([left + 0.5**0.5 * (centre + back_left), right + 0.5**0.5 * (centre + back_right)])
    for stem, gain in zip(separate(tmp_path / "a.wav", surround, 44100), GAINS, strict=True):
        assert np.abs(stem - gain * downmix).max() < 1e-5


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_one_sample(tmp_path: Path, channels: int) -> None:
    stems = separate(tmp_path / "a.wav", np.full((channels, 1), 0.5), 44100)
    downmix = 0.5 if channels < 6 else 0.5 * (1 + 2 * 0.5**0.5)
    np.testing.assert_allclose(sum(stems), np.full((min(channels, 2), 1), downmix), rtol=1e-6)


@pytest.mark.parametrize("name", ["a b.wav", 'it\'s "ein".wav', "песня 歌.wav"])
def test_names(tmp_path: Path, name: str) -> None:
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this system cannot hold such a name")
    samples = noise(2)
    for stem, gain in zip(separate(tmp_path / name, samples, 44100), GAINS, strict=True):
        assert np.abs(stem - gain * samples).max() < 1e-6
