"""Stems out: every format read back, the same bytes each time, tags and covers carried, files of any size."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from scipy.io import wavfile

from audio_helpers import tones
from htdemucs_n.audio import read_audio
from htdemucs_n.audio.encode_wav import WavEncoder
from htdemucs_n.audio.formats import FORMATS, STEM_FILE, Encoding, choose_encoding, nearest_rate
from htdemucs_n.audio.tags import Tags, read_tags
from htdemucs_n.audio.write import AudioWriter
from htdemucs_n.errors import UserError

TAGS = Tags({"title": "Lied 歌", "artist": "Ä & B", "album": "C", "track": "3/9", "date": "2001", "genre": "Jazz"})


def picture(codec: str) -> bytes:
    """A small JPEG or PNG file."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="image2pipe") as container:
        stream = container.add_stream(codec, rate=1)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 200, np.uint8), format="rgb24")
        container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def write(path: Path, samples: np.ndarray, rate: int, encoding: Encoding, tags: Tags = TAGS, block: int = 7001) -> None:
    with AudioWriter(path, rate, len(samples), encoding, tags) as writer:
        for start in range(0, samples.shape[1], block):
            writer.write(samples[:, start : start + block])


def channels(name: str) -> int:
    """How many channels a file of a format has: five stereo tracks, or one."""
    return 10 if name == STEM_FILE else 2


@pytest.mark.parametrize(
    ("name", "depth", "step"),
    [
        ("wav", "int16", 2**-15),
        ("wav", "int24", 2**-23),
        ("flac", "int16", 2**-15),
        ("flac", "int24", 2**-23),
        ("wav", "float32", 0.0),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_lossless_files_hold_the_samples(tmp_path: Path, name: str, depth: str, step: float, channels: int) -> None:
    samples = np.random.default_rng(0).uniform(-0.99, 0.99, (channels, 20001)).astype(np.float32)
    write(tmp_path / "a", samples, 48000, Encoding(name, depth, 0))
    info = soundfile.info(tmp_path / "a")
    assert (info.samplerate, info.channels, info.frames) == (48000, channels, 20001)
    assert info.subtype == {"int16": "PCM_16", "int24": "PCM_24", "float32": "FLOAT"}[depth]
    read, _ = soundfile.read(tmp_path / "a", dtype="float64", always_2d=True)
    assert np.abs(read.T - samples).max() <= step / 2 * (1 + 1e-6) + (step and 2**-24)


@pytest.mark.parametrize("name", ["wav", "flac"])
@pytest.mark.parametrize(("depth", "top"), [("int16", 32767), ("int24", 8388607)])
def test_integers_end_at_full_scale(tmp_path: Path, name: str, depth: str, top: int) -> None:
    samples = np.array([[1.0, -1.0, 1.5, -1.5, 0.0]], np.float32)
    write(tmp_path / "a", samples, 44100, Encoding(name, depth, 0))
    bits = 16 if depth == "int16" else 8
    read, _ = soundfile.read(tmp_path / "a", dtype="int32")
    assert (read >> bits).tolist() == [top, -top - 1, top, -top - 1, 0]


@pytest.mark.parametrize(("name", "least_snr"), [("mp3", 25), ("ogg", 25), ("opus", 25), ("m4a", 20)])
@pytest.mark.parametrize("channels", [1, 2])
def test_lossy_files_keep_channels_level_and_time(tmp_path: Path, name: str, least_snr: float, channels: int) -> None:
    truth = tones((440, 660)[:channels], 48000, seconds=1.0)
    write(tmp_path / f"a.{name}", truth, 48000, choose_encoding(name, None, None, None))
    audio = read_audio(tmp_path / f"a.{name}")
    assert audio.sample_rate == 48000 and audio.samples.shape[0] == channels
    assert 0 <= audio.samples.shape[1] - 48000 <= 2048
    inner = slice(2000, 46000)
    error = audio.samples[:, inner] - truth[:, inner]
    assert (10 * np.log10(np.square(truth[:, inner]).sum(1) / np.square(error).sum(1))).min() > least_snr


@pytest.mark.parametrize("name", ["mp3", "ogg", "opus", "m4a"])
def test_the_bit_rate_is_followed(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, (2, 48000 * 2)).astype(np.float32)
    sizes = []
    for bitrate in (64, 256):
        write(tmp_path / "a", noise, 48000, Encoding(name, "lossy", bitrate))
        sizes.append((tmp_path / "a").stat().st_size * 8 / 2 / 1000)
    assert sizes[0] * 1.8 < sizes[1] < 400  # kbit/s; variable-rate encoders are free within a range


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_same_samples_give_the_same_bytes_however_cut(tmp_path: Path, name: str) -> None:
    samples = np.random.default_rng(0).normal(0, 0.2, (channels(name), 30000)).astype(np.float32)
    tags = Tags(TAGS.values, picture("mjpeg"))
    for file, block in {"a": 30000, "b": 1234, "c": 1234}.items():
        write(tmp_path / file, samples, 48000, choose_encoding(name, None, None, None), tags, block)
    assert (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    if name != "ogg":  # libsndfile hands Vorbis what it gets, and Vorbis decides by that
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", ["flac", "mp3", "ogg", "opus", "m4a"])
@pytest.mark.parametrize("codec", ["mjpeg", "png"])
def test_tags_and_covers_are_carried(tmp_path: Path, name: str, codec: str) -> None:
    cover = picture(codec)
    write(tmp_path / f"a.{name}", tones((440, 660), 48000), 48000, choose_encoding(name, None, None, None),
          Tags(TAGS.values, cover))  # fmt: skip
    tags = read_tags(tmp_path / f"a.{name}")
    assert tags.values == TAGS.values
    assert tags.cover == cover


def test_wav_files_hold_the_tags_that_they_have_a_place_for(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tones((440,), 8000), 8000, Encoding("wav", "int16", 0))
    assert read_tags(tmp_path / "a.wav").values == TAGS.values
    rate, samples = wavfile.read(tmp_path / "a.wav")
    assert (rate, samples.shape) == (8000, (4000,))


def test_a_damaged_cover_is_left_out(tmp_path: Path) -> None:
    tags = Tags(TAGS.values, b"\xff\xd8\xff and no more")
    write(tmp_path / "a.flac", tones((440,), 8000), 8000, Encoding("flac", "int16", 0), tags)
    assert read_tags(tmp_path / "a.flac").values == TAGS.values
    assert read_tags(tmp_path / "a.flac").cover is None


def test_a_cover_above_the_limit_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cover = picture("png")
    write(tmp_path / "a.flac", tones((440,), 8000), 8000, Encoding("flac", "int16", 0), Tags(TAGS.values, cover))
    monkeypatch.setattr("htdemucs_n.audio.tags._MAX_COVER", len(cover))
    assert read_tags(tmp_path / "a.flac").cover == cover
    monkeypatch.setattr("htdemucs_n.audio.tags._MAX_COVER", len(cover) - 1)
    assert read_tags(tmp_path / "a.flac") == Tags(TAGS.values)


def test_tags_of_what_is_no_audio(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"not music")
    assert read_tags(tmp_path / "a.mp3") == Tags()
    assert read_tags(tmp_path / "missing.mp3") == Tags()


@pytest.mark.parametrize(("frames", "form"), [(1000, b"RIFF"), (2**31, b"RF64")])
def test_a_wav_file_over_4_gib_becomes_rf64(frames: int, form: bytes) -> None:
    """16-bit mono; of the large one only the header is made (EBU Tech 3306, table 3)."""

    class Counting(io.BytesIO):
        def write(self, data: object) -> int:  # type: ignore[override]
            return super().write(bytes(memoryview(data)[:200]))  # type: ignore[arg-type]

    file = Counting()
    encoder = WavEncoder(file, 44100, 1, "int16")
    encoder._frames = frames
    encoder.close()
    head = file.getvalue()
    assert head[:4] == form and head[8:12] == b"WAVE"
    assert struct.unpack("<I", head[90:94])[0] == (2**32 - 1 if form == b"RF64" else 2 * frames)
    if form == b"RF64":
        assert head[4:8] == b"\xff" * 4
        name, size, riff, data, count = struct.unpack("<4sIQQQ", head[12:44])
        assert (name, size, riff, data, count) == (b"ds64", 28, 94 - 8 + 2 * frames, 2 * frames, frames)


def test_rf64_is_read_by_libsndfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file, made as if 4 GiB were 1 kB."""
    monkeypatch.setattr("htdemucs_n.audio.encode_wav._LARGEST", 1000)
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, (2, 3000)).astype(np.float32)
    write(tmp_path / "a.wav", samples, 44100, Encoding("wav", "float32", 0), Tags())
    assert (tmp_path / "a.wav").read_bytes()[:4] == b"RF64"
    read, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    np.testing.assert_array_equal(read.T, samples)


def test_a_pipe_gets_a_wav_of_open_length() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise OSError("a pipe")

    pipe = Pipe()
    with AudioWriter(pipe, 8000, 1, Encoding("wav", "int16", 0)) as writer:
        writer.write(np.full((1, 10), 0.5, np.float32))
    data = pipe.getvalue()
    assert data[90:94] == b"\xff" * 4
    assert np.frombuffer(data[94:], "<i2").tolist() == [16384] * 10


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_an_exception_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / f"a.{name}").write_bytes(b"mine")
    with (
        pytest.raises(ZeroDivisionError),
        AudioWriter(tmp_path / f"a.{name}", 48000, channels(name), choose_encoding(name, None, None, None)) as writer,
    ):
        writer.write(np.zeros((channels(name), 5000), np.float32))
        raise ZeroDivisionError
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(f"a.{name}", b"mine")]


@pytest.mark.parametrize(
    ("name", "depth", "wanted", "given"),
    [
        ("wav", None, "int16", None), ("wav", None, "int24", "int24"), ("wav", None, "float32", "float32"),
        ("wav", "int16", "int16", "float32"), ("flac", None, "int24", "float32"), ("flac", None, "int16", "int16"),
        ("mp3", None, "lossy", "int24"),
    ],
)  # fmt: skip
def test_the_depth_is_the_inputs_by_default(name: str, depth: str | None, wanted: str, given: str | None) -> None:
    assert choose_encoding(name, depth, None, given).depth == wanted


@pytest.mark.parametrize(
    ("name", "depth", "bitrate", "says"),
    [
        ("wma", None, None, "unknown format"), ("flac", "float32", None, "no depth float32"),
        ("mp3", "int16", None, "lossy"), ("wav", None, 128, "lossless"), ("mp3", None, 9, "32 to 512"),
    ],
)  # fmt: skip
def test_encodings_that_there_are_not(name: str, depth: str | None, bitrate: int | None, says: str) -> None:
    with pytest.raises(UserError, match=says):
        choose_encoding(name, depth, bitrate, None)


def test_rates_that_a_format_has_not() -> None:
    assert nearest_rate("wav", 7999) == 7999
    assert nearest_rate("mp3", 44100) == 44100
    assert nearest_rate("opus", 44100) == 48000
    assert nearest_rate("mp3", 96000) == 48000
    assert nearest_rate("m4a", 30000) == 32000
