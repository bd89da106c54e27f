"""Files whose headers have no length or a wrong one: all samples are read, and the length is right."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_helpers import encode
from htdemucs_n.audio.read import open_audio, read_audio
from htdemucs_n.errors import UserError

RATE = 44100
SAMPLES = 50_000


def noise(samples: int = SAMPLES, channels: int = 2, seed: int = 0) -> np.ndarray:
    """int16 `(T, C)`."""
    return np.random.default_rng(seed).integers(-9000, 9000, (samples, channels), dtype=np.int16)


def encoded(kind: str, samples: np.ndarray, rate: int = RATE, **options: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, **options)
    return buffer.getvalue()


def id3_tag(size: int = 1000) -> bytes:
    return b"ID3\x04\x00\x00" + bytes((size >> 7 * n) & 127 for n in (3, 2, 1, 0)) + b"\0" * size


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def with_data_size(size: int) -> bytes:
    """The WAV of `noise()` with another size of its samples."""
    data = bytearray(encoded("WAV", noise(), subtype="PCM_16"))
    place = data.index(b"data")
    data[place + 4 : place + 8] = struct.pack("<I", size)
    return bytes(data)


@pytest.mark.parametrize("size", [0, 0x7FFFFFDB, 0x7FFFF000, 0x80000000, 0xFFFFFFFF, 0xFFFFFFDB])
def test_a_wav_that_leaves_its_size_open_is_read_whole(tmp_path: Path, size: int) -> None:
    path = written(tmp_path / "a.wav", with_data_size(size))
    with open_audio(path) as stream:
        samples = np.concatenate([*stream.blocks()], axis=1)
        assert (stream.length, stream.damaged) == (SAMPLES, 0)
    np.testing.assert_array_equal(samples, noise().T / np.float32(32768))


@pytest.mark.parametrize("sizes", [b"\0" * 16, b"\xff" * 16])
def test_an_rf64_that_leaves_its_size_open_is_read_whole(tmp_path: Path, sizes: bytes) -> None:
    data = encoded("RF64", noise(), subtype="PCM_16")
    place = data.index(b"ds64") + 8
    path = written(tmp_path / "a.rf64", data[:place] + sizes + data[place + 16 :])
    np.testing.assert_array_equal(read_audio(path).samples, noise().T / np.float32(32768))


def test_a_wav_that_is_cut_short_keeps_the_length_of_its_header(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", with_data_size(4 * SAMPLES)[:-4000])
    with open_audio(path) as stream:
        assert stream.length == SAMPLES
        assert sum(block.shape[1] for block in stream.blocks()) == SAMPLES - 1000


def test_a_wav_without_samples_stays_refused(tmp_path: Path) -> None:
    chunks = [name + struct.pack("<I", 400) + bytes(400) for name in (b"LIST", b"smpl", b"PEAK", b"JUNK", b"afsp")]
    for number, more in enumerate([b"", *chunks, b"".join(chunks), b"LIST\x04\x00\x00\x00INFO"]):
        path = written(tmp_path / f"{number}.wav", encoded("WAV", noise(0), subtype="PCM_16") + more)
        with pytest.raises(UserError, match="no audio"):
            read_audio(path)


@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_16"), ("AIFF", "PCM_16"), ("FLAC", "PCM_16"), ("AU", "PCM_16")]
)
def test_an_id3_tag_in_front_of_other_formats_is_passed_over(tmp_path: Path, kind: str, subtype: str) -> None:
    path = written(tmp_path / f"a.{kind.lower()}", id3_tag() + encoded(kind, noise(), subtype=subtype))
    np.testing.assert_array_equal(read_audio(path).samples, noise().T / np.float32(32768))


@pytest.mark.parametrize(("suffix", "codec"), [("wv", "wavpack"), ("m4a", "aac"), ("mka", "flac")])
def test_an_id3_tag_in_front_of_formats_that_ffmpeg_reads_is_passed_over(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    plain = tmp_path / f"plain.{suffix}"
    encode(plain, noise().T / np.float32(32768), RATE, codec)
    path = written(tmp_path / f"a.{suffix}", id3_tag() + plain.read_bytes())
    np.testing.assert_array_equal(read_audio(path).samples, read_audio(plain).samples)


TRAILERS = {
    "ID3v1": b"TAG" + b"x" * 125,
    "ID3v2 with a footer": b"ID3\x04\x00\x10\x00\x00\x00\x0412343DI\x04\x00\x10\x00\x00\x00\x04",
    "ID3v2": id3_tag(),
    "Lyrics3": b"LYRICSBEGINLYR00005hello000024LYRICS200" + b"TAG" + b"x" * 125,
    "Lyrics3v1": b"LYRICSBEGINhelloLYRICSEND" + b"TAG" + b"x" * 125,
    "APE": b"APETAGEX" + struct.pack("<IIII8x", 2000, 32 + 8, 1, 1 << 31) + b"12345678"
    + b"APETAGEX" + struct.pack("<IIII8x", 2000, 32 + 8, 1, 1 << 31),
}  # fmt: skip


@pytest.mark.parametrize("trailer", [*TRAILERS])
def test_tags_behind_an_mp3_are_no_damage(tmp_path: Path, trailer: str) -> None:
    encode(tmp_path / "plain.mp3", noise().T / np.float32(32768), RATE, "mp3")
    plain = (tmp_path / "plain.mp3").read_bytes()
    path = written(tmp_path / "a.mp3", plain + TRAILERS[trailer])
    with open_audio(path) as stream:
        samples = np.concatenate([*stream.blocks()], axis=1)
        assert stream.damaged == 0
    np.testing.assert_array_equal(samples, read_audio(tmp_path / "plain.mp3").samples)


@pytest.mark.parametrize("suffix", ["wv", "tta"])
def test_tags_behind_other_formats_are_no_damage(tmp_path: Path, suffix: str) -> None:
    plain = tmp_path / f"plain.{suffix}"
    encode(plain, noise().T / np.float32(32768), RATE, {"wv": "wavpack", "tta": "tta"}[suffix])
    path = written(tmp_path / f"a.{suffix}", plain.read_bytes() + TRAILERS["ID3v1"])
    with open_audio(path) as stream:
        samples = np.concatenate([*stream.blocks()], axis=1)
        assert stream.damaged == 0
    np.testing.assert_array_equal(samples, read_audio(plain).samples)


def test_a_flac_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    data = bytearray(encoded("FLAC", noise(), subtype="PCM_16"))
    data[21] &= 0xF0
    data[22:26] = b"\0\0\0\0"
    path = written(tmp_path / "a.flac", bytes(data))
    with open_audio(path) as stream:
        samples = np.concatenate([*stream.blocks()], axis=1)
        assert (stream.length, stream.damaged) == (None, 0)
    np.testing.assert_array_equal(samples, noise().T / np.float32(32768))


def test_joined_ogg_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    """Three links: no sample is lost or added between them."""
    links = [encoded("OGG", noise(20_000 + n, seed=n), subtype="VORBIS") for n in range(3)]
    path = written(tmp_path / "a.ogg", b"".join(links))
    alone = [read_audio(written(tmp_path / f"{n}.ogg", link)).samples for n, link in enumerate(links)]
    with open_audio(path) as stream:
        assert stream.length == sum(part.shape[1] for part in alone)
        samples = np.concatenate([*stream.blocks()], axis=1)
    np.testing.assert_array_equal(samples, np.concatenate(alone, axis=1))


@pytest.mark.parametrize("place", ["before", "between"])
def test_joined_ogg_files_with_a_tag_before_or_between_them(tmp_path: Path, place: str) -> None:
    links = [encoded("OGG", noise(20_000, seed=n), subtype="VORBIS") for n in range(2)]
    parts = [id3_tag(), *links] if place == "before" else [links[0], id3_tag(100_000), links[1]]
    alone = [read_audio(written(tmp_path / f"{n}.ogg", link)).samples for n, link in enumerate(links)]
    joined = read_audio(written(tmp_path / "a.ogg", b"".join(parts)))
    np.testing.assert_array_equal(joined.samples, np.concatenate(alone, axis=1))


@pytest.mark.parametrize("length", [4_000, 60_000])  # the page that is cut ends behind the file, or inside a page
def test_a_link_after_one_that_was_cut_off(tmp_path: Path, length: int) -> None:
    links = [encoded("OGG", noise(size, seed=size), subtype="VORBIS") for size in (60_000, length)]
    joined = read_audio(written(tmp_path / "a.ogg", links[0][:-1_000] + links[1]))
    alone = read_audio(written(tmp_path / "b.ogg", links[1]))
    assert joined.samples.shape[1] > length + 20_000
    np.testing.assert_array_equal(joined.samples[:, -length:], alone.samples)


def test_joined_opus_files(tmp_path: Path) -> None:
    for n in range(2):
        encode(tmp_path / f"{n}.opus", noise(48_000, seed=n).T / np.float32(32768), 48_000, "libopus")
    alone = [read_audio(tmp_path / f"{n}.opus").samples for n in range(2)]
    path = written(tmp_path / "a.opus", b"".join((tmp_path / f"{n}.opus").read_bytes() for n in range(2)))
    np.testing.assert_array_equal(read_audio(path).samples, np.concatenate(alone, axis=1))


def test_joined_flac_files(tmp_path: Path) -> None:
    """The first has "fLaC" in a tag, which begins no link."""
    links = [encoded("FLAC", noise(20_000 + n, seed=n), subtype="PCM_24") for n in range(2)]
    end = 4 + 38  # of STREAMINFO; a block of padding, type 1, follows it
    links[0] = links[0][:4] + bytes([links[0][4] & 127]) + links[0][5:end] + b"\1\0\0\x0dfLaC and text" + links[0][end:]
    path = written(tmp_path / "a.flac", b"".join(links))
    with open_audio(path) as stream:
        assert (stream.length, stream.depth) == (40_001, "int24")
        samples = np.concatenate([*stream.blocks()], axis=1)
        assert stream.damaged == 0
    expected = np.concatenate([noise(20_000), noise(20_001, seed=1)]).T / np.float32(32768)
    np.testing.assert_array_equal(samples, expected)


def test_joined_files_of_more_channels_than_two(tmp_path: Path) -> None:
    """5.1 behind stereo, whose missing channels are silent; neither gains samples."""
    links = [encoded("OGG", noise(20_000, channels), subtype="VORBIS") for channels in (2, 6)]
    alone = [read_audio(written(tmp_path / f"{n}.ogg", link)).samples for n, link in enumerate(links)]
    audio = read_audio(written(tmp_path / "a.ogg", b"".join(links)))
    assert audio.speakers == ("FL", "FR", "FC", "LFE", "BL", "BR")
    expected = np.concatenate([np.pad(alone[0], ((0, 4), (0, 0))), alone[1]], axis=1)
    np.testing.assert_array_equal(audio.samples, expected)
    assert audio.samples.shape == (6, 40_000)


def test_a_link_that_cannot_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    links = [encoded("FLAC", noise(20_000, seed=n), subtype="PCM_16") for n in range(2)]
    damaged = links[0][:8] + b"\0" * 34
    with open_audio(written(tmp_path / "a.flac", damaged + links[1])) as stream:
        assert (stream.length, stream.damaged) == (20_000, 1)
        np.testing.assert_array_equal(next(stream.blocks()), noise(20_000, seed=1).T / np.float32(32768))
    with pytest.raises(UserError, match=r"a\.flac"), open_audio(written(tmp_path / "a.flac", damaged * 2)):
        pass


@pytest.mark.parametrize("tone_first", [False, True])
def test_joined_links_get_the_highest_rate_and_the_most_channels(tmp_path: Path, tone_first: bool) -> None:
    """A second of 44.1 kHz stereo, and a second of a mono tone at 22.05 kHz before or after it."""
    tone = np.round(8000 * np.sin(2 * np.pi * 500 * np.arange(22050) / 22050)).astype(np.int16)
    links = [encoded("OGG", noise(RATE), subtype="VORBIS"), encoded("OGG", tone, 22050, subtype="VORBIS")]
    stereo = read_audio(written(tmp_path / "stereo.ogg", links[0])).samples
    audio = read_audio(written(tmp_path / "a.ogg", b"".join(reversed(links) if tone_first else links)))
    assert audio.sample_rate == RATE and audio.samples.shape[0] == 2
    assert audio.samples.shape[1] == pytest.approx(2 * RATE, abs=2)
    np.testing.assert_array_equal(audio.samples[:, -RATE:] if tone_first else audio.samples[:, :RATE], stereo)
    start = 0 if tone_first else RATE
    mono = audio.samples[:, start + 5000 : start + 25000]
    np.testing.assert_array_equal(mono[0], mono[1])
    expected = 8000 / 32768 * np.sin(2 * np.pi * 500 * np.arange(5000, 25000) / RATE)
    assert np.abs(mono[0] - expected).max() < 0.02
