"""Files in: every format, rate and channel count gives the samples that were put in."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest
import soundfile

from audio_helpers import encode, strongest, tones
from htdemucs_n.audio import read_audio
from htdemucs_n.errors import UserError


@pytest.mark.parametrize(
    ("name", "subtype", "step"),
    [
        ("a.wav", "PCM_16", 2**-15),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "PCM_U8", 2**-7),
        ("a.wav", "FLOAT", 0.0),
        ("a.wav", "DOUBLE", 0.0),
        ("a.flac", "PCM_16", 2**-15),
        ("a.flac", "PCM_24", 2**-23),
        ("a.aiff", "PCM_16", 2**-15),
        ("b.aiff", "PCM_24", 2**-23),
    ],
)
@pytest.mark.parametrize("rate", [8000, 44100, 192000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_lossless_files_give_their_samples(
    tmp_path: Path, name: str, subtype: str, step: float, rate: int, channels: int
) -> None:
    truth = np.random.default_rng(0).uniform(-0.9, 0.9, (channels, 101)).astype(np.float32)
    soundfile.write(tmp_path / name, truth.T, rate, subtype=subtype)
    audio = read_audio(tmp_path / name)
    assert audio.sample_rate == rate
    assert audio.samples.dtype == np.float32
    assert audio.samples.shape == truth.shape
    assert np.abs(audio.samples - truth).max() <= step + 1e-7


@pytest.mark.parametrize(
    ("name", "codec", "video", "least_snr"),
    [
        ("a.mp3", "libmp3lame", False, 20),
        ("a.m4a", "aac", False, 15),
        ("a.m4a", "alac", False, 100),
        ("a.opus", "libopus", False, 30),
        ("a.webm", "libopus", False, 30),
        ("a.mka", "ac3", False, 60),
        ("a.mp4", "aac", True, 15),
        ("a.mkv", "flac", True, 80),
    ],
)
def test_compressed_files_and_videos_keep_channels_and_time(
    tmp_path: Path, name: str, codec: str, video: bool, least_snr: float
) -> None:
    truth = tones((440, 660), 48000, seconds=1.0)
    encode(tmp_path / name, truth, 48000, codec, video)
    audio = read_audio(tmp_path / name)
    assert audio.sample_rate == 48000
    assert 0 <= audio.samples.shape[1] - 48000 <= 2048  # some codecs fill up their last frame
    inner = slice(2000, 46000)
    error = audio.samples[:, inner] - truth[:, inner]
    snr = 10 * np.log10(np.square(truth[:, inner]).sum(axis=1) / np.square(error).sum(axis=1))
    assert snr.min() > least_snr  # a swap of channels, or a delay of 10 samples, gives less than 10 dB


def test_ogg_vorbis(tmp_path: Path) -> None:
    truth = tones((440, 660), 44100)
    soundfile.write(tmp_path / "a.ogg", truth.T, 44100, format="OGG", subtype="VORBIS")
    samples = read_audio(tmp_path / "a.ogg").samples
    assert samples.shape == truth.shape
    assert np.abs(samples - truth)[:, 500:-500].max() < 0.03


def test_raw_aac_stream_is_read(tmp_path: Path) -> None:
    encode(tmp_path / "a.aac", tones((440, 660), 44100, 1.0), 44100, "aac")
    audio = read_audio(tmp_path / "a.aac")
    assert abs(audio.samples.shape[1] - 44100) <= 2048  # no header: the encoder's delay cannot be known
    assert strongest(audio.samples, 44100) == pytest.approx([440, 660], abs=2)


@pytest.mark.parametrize(("name", "file_order"), [("a.ogg", [0, 2, 1, 4, 5, 3]), ("a.flac", [0, 1, 2, 3, 4, 5])])
def test_channels_come_in_wave_order(tmp_path: Path, name: str, file_order: list[int]) -> None:
    """Vorbis keeps 5.1 as L C R Ls Rs LFE (its specification, section 4.3.9), FLAC as L R C LFE Ls Rs."""
    wave_order = (200, 400, 600, 800, 1000, 1200)
    soundfile.write(tmp_path / name, tones(wave_order, 44100, 1.0)[file_order].T, 44100)
    audio = read_audio(tmp_path / name)
    assert strongest(audio.samples, 44100) == pytest.approx(wave_order, abs=1)


@pytest.mark.parametrize("channels", [3, 8, 9, 16])
def test_many_channels_give_their_samples(tmp_path: Path, channels: int) -> None:
    """From eight on, PyAV does not know where the planes of a frame end."""
    samples = np.random.default_rng(0).integers(-9000, 9000, (44100, channels), dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 44100, format="WAVEX")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav").samples, samples.T / np.float32(32768))


def test_channels_that_change_inside_a_stream_are_brought_to_the_first_ones(tmp_path: Path) -> None:
    encode(tmp_path / "stereo.mp3", tones((440, 660), 44100, 1.0), 44100, "libmp3lame")
    encode(tmp_path / "mono.mp3", tones((880,), 44100, 1.0), 44100, "libmp3lame")
    joined = tmp_path / "joined.mp3"
    joined.write_bytes((tmp_path / "stereo.mp3").read_bytes() + (tmp_path / "mono.mp3").read_bytes())
    samples = read_audio(joined).samples
    assert samples.shape[0] == 2
    assert strongest(samples[:, 1000:43000], 44100) == pytest.approx([440, 660], abs=2)
    assert strongest(samples[:, -42000:], 44100) == pytest.approx([880, 880], abs=2)


@pytest.mark.parametrize(
    "name",
    ["a b c.wav", 'it\'s "quoted".wav', "песня 歌 أغنية.wav", "file:a.wav", "100%_[x]{y}.wav", "noextension"],
)
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    truth = tones((440,), 8000, 0.1)
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this system cannot hold such a name")
    soundfile.write(tmp_path / "plain.wav", truth.T, 8000, subtype="FLOAT")
    (tmp_path / "plain.wav").replace(tmp_path / name)
    np.testing.assert_array_equal(read_audio(tmp_path / name).samples, truth)


def test_compressed_file_with_a_protocol_in_its_name(tmp_path: Path) -> None:
    encode(tmp_path / "plain.mp3", tones((440,), 44100), 44100, "libmp3lame")
    try:
        odd = (tmp_path / "plain.mp3").rename(tmp_path / "concat:песня's.mp3")
    except OSError:
        pytest.skip("this system cannot hold such a name")
    assert strongest(read_audio(odd).samples, 44100) == pytest.approx([440], abs=2)


@pytest.mark.parametrize("given", ["s3://bucket/a.wav", Path("s3://bucket/a.wav")])
def test_a_url_is_named_as_it_was_typed(given: str | Path) -> None:
    with pytest.raises(UserError, match=r"^'s3://bucket/a\.wav': URLs are not read"):
        read_audio(given)


@pytest.mark.parametrize("mode", ["r", "ab", "closed"])
def test_a_file_object_that_gives_no_bytes_is_named(tmp_path: Path, mode: str) -> None:
    soundfile.write(tmp_path / "a.wav", tones((440,), 44100, 0.1).T, 44100)
    with (tmp_path / "a.wav").open("rb" if mode == "closed" else mode) as file:
        if mode == "closed":
            file.close()
        with pytest.raises(UserError, match=r"a.wav' is not open for reading bytes: open it with open\(..., 'rb'\)"):
            read_audio(cast(BinaryIO, file))
