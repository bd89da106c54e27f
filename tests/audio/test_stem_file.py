"""DJ stem files: their tracks, their box, their tags, by a parser of boxes and by the package stempeg."""

from __future__ import annotations

import io
import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from audio_helpers import tones
from htdemucs_n.audio.formats import STEM_FILE, choose_encoding, nearest_rate
from htdemucs_n.audio.stem_box import add_stem_box
from htdemucs_n.audio.tags import NO_TAGS, Tags, read_tags
from htdemucs_n.audio.write import AudioWriter
from htdemucs_n.errors import UserError

NAMES = ("drums", "bass", "other", "vocals")
FREQUENCIES = (300.0, 440.0, 550.0, 660.0, 880.0)
CONTAINERS = {b"moov", b"trak", b"udta", b"mdia", b"minf", b"stbl"}


def song(rate: int = 44100) -> NDArray[np.float32]:
    """Five stereo tracks `(10, T)`, a tone each."""
    return np.concatenate([0.3 * tones((f, f), rate, 2.0) for f in FREQUENCIES])


def write(path: Path, samples: NDArray[np.float32], depth: str | None = None, tags: Tags = NO_TAGS) -> Path:
    with AudioWriter(path, 44100, len(samples), choose_encoding(STEM_FILE, depth, None, "int16"), tags) as writer:
        for start in range(0, samples.shape[1], 9999):
            writer.write(samples[:, start : start + 9999])
    return path


def boxes(data: bytes, path: str = "") -> Iterator[tuple[str, bytes]]:
    """All boxes with their contents, by their paths. Every size must be that of what it holds."""
    place = 0
    while place < len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, place + 8), 16
        assert head <= size <= len(data) - place, (path, name)
        here = f"{path}/{name.decode('latin-1')}"
        content = data[place + head : place + size]
        yield here, content
        if name in CONTAINERS:
            yield from boxes(content, here)
        place += size


def found(path: Path, name: str) -> list[bytes]:
    return [content for place, content in boxes(path.read_bytes()) if place == name]


@pytest.mark.parametrize("tags", [NO_TAGS, Tags({"title": "T"})], ids=["no udta", "udta"])
def test_the_box_has_what_dj_software_reads(tmp_path: Path, tags: Tags) -> None:
    path = write(tmp_path / "a.stem.mp4", song(), tags=tags)
    (box,) = found(path, "/moov/udta/stem")
    manifest = json.loads(box)
    assert manifest["version"] == 1
    assert [stem["name"] for stem in manifest["stems"]] == list(NAMES)
    colours = {stem["color"] for stem in manifest["stems"]}
    assert len(colours) == 4 and all(colour[0] == "#" and int(colour[1:], 16) for colour in colours)
    assert manifest["mastering_dsp"]["compressor"]["enabled"] is False
    assert manifest["mastering_dsp"]["limiter"]["enabled"] is False
    assert len(found(path, "/moov/udta")) == 1


def test_the_mix_is_enabled_and_the_stems_are_not(tmp_path: Path) -> None:
    heads = found(write(tmp_path / "a.stem.mp4", song()), "/moov/trak/tkhd")
    assert [head[3] & 1 for head in heads] == [1, 0, 0, 0, 0]  # the flag track_enabled


@pytest.mark.parametrize(("depth", "codec"), [(None, "aac"), ("int16", "alac"), ("int24", "alac")])
def test_five_stereo_tracks_of_one_rate_and_codec(tmp_path: Path, depth: str | None, codec: str) -> None:
    path = write(tmp_path / "a.stem.mp4", song(), depth)
    with av.open(str(path)) as container:
        streams = container.streams.audio
        assert [(s.codec_context.name, s.rate, s.channels) for s in streams] == [(codec, 44100, 2)] * 5
        assert [stream.metadata["handler_name"] for stream in streams] == ["mix", *NAMES]
        assert {stream.duration for stream in streams} == {88200}
        read = [read_track(path, number) for number in range(5)]
    for number, track in enumerate(read):
        truth = song()[2 * number : 2 * number + 2]
        error = np.abs(track[:, 4000:80000] - truth[:, 4000:80000]).max()
        assert error < {None: 0.02, "int16": 2**-15, "int24": 2**-22}[depth]


def read_track(path: Path, number: int) -> NDArray[np.float32]:
    """The samples `(2, T)` of a track, as a player decodes them."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=44100)
        frames = [f for frame in container.decode(audio=number) for f in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


def test_tags_and_cover_are_kept(tmp_path: Path) -> None:
    cover = b"\x89PNG\r\n\x1a\n" + picture()[8:]
    tags = Tags({"title": "Lied 歌", "artist": "Ä"}, cover)
    assert read_tags(write(tmp_path / "a.stem.mp4", song(), tags=tags)) == tags


def picture() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 200, np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def test_the_bit_rate_is_256_by_default(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, (10, 88200)).astype(np.float32)
    rate = write(tmp_path / "a.stem.mp4", noise).stat().st_size * 8 / 2 / 5 / 1000
    assert 240 < rate < 275  # kbit/s of each track


def test_the_box_is_put_behind_a_long_box(tmp_path: Path) -> None:
    """A box of 64-bit size, as `mdat` has beyond 4 GiB."""
    data = struct.pack(">I4sQ", 1, b"mdat", 16 + 5) + b"audio" + struct.pack(">I4s", 8, b"moov")
    file: BinaryIO = io.BytesIO(data)
    add_stem_box(file, NAMES)
    (tmp_path / "a").write_bytes(file.getvalue())  # type: ignore[attr-defined]
    assert [place for place, _ in boxes((tmp_path / "a").read_bytes())] == [
        "/mdat", "/moov", "/moov/udta", "/moov/udta/stem"
    ]  # fmt: skip
    assert found(tmp_path / "a", "/mdat") == [b"audio"]


def test_a_file_that_does_not_end_with_moov_is_refused() -> None:
    with pytest.raises(ValueError, match="moov"):
        add_stem_box(io.BytesIO(struct.pack(">I4s", 8, b"mdat")), NAMES)


def test_a_depth_means_lossless() -> None:
    assert choose_encoding(STEM_FILE, None, None, "int24").depth == "lossy"
    assert choose_encoding(STEM_FILE, "int24", None, "int16").depth == "int24"
    with pytest.raises(UserError, match="lossless and takes no bit rate"):
        choose_encoding(STEM_FILE, "int16", 256, None)
    assert [nearest_rate(STEM_FILE, rate) for rate in (8000, 44100, 48000, 96000)] == [44100, 44100, 48000, 48000]


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="stempeg reads with the command ffmpeg")
def test_stempeg_reads_the_stems(tmp_path: Path) -> None:
    import stempeg

    path = write(tmp_path / "a.stem.mp4", song())
    stems, rate = stempeg.read_stems(str(path))
    assert (stems.shape[0], stems.shape[2], rate) == (5, 2, 44100)
    for track, frequency in zip(stems, FREQUENCIES, strict=True):
        spectrum = np.abs(np.fft.rfft(track[4000:48100, 0]))
        assert spectrum.argmax() == frequency  # 44100 samples: a bin is 1 Hz
