"""Encode everything but WAV as a stream: FFmpeg's encoders through PyAV, libsndfile's for Vorbis.

FFmpeg leaves out versions and random numbers (its flag `bitexact`), so that the same samples give the same bytes.
"""

from __future__ import annotations

import io
import tempfile
from fractions import Fraction
from typing import Any, BinaryIO

import av
import numpy as np
import soundfile
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from numpy.typing import NDArray

from htdemucs_n.audio.encoder import Encoder
from htdemucs_n.audio.formats import STEM_FILE, STEM_FILE_STEMS, Encoding
from htdemucs_n.audio.integers import to_integers
from htdemucs_n.audio.stem_box import add_stem_box
from htdemucs_n.audio.tags import Tags, picture_block

_CONTAINERS = {"flac": "flac", "mp3": "mp3", "ogg": "ogg", "opus": "opus", "m4a": "mp4", STEM_FILE: "mp4"}
_CODECS = {"flac": "flac", "mp3": "libmp3lame", "opus": "libopus", "m4a": "aac"}

_SAMPLES = {
    ("flac", "int16"): "s16",
    ("flac", "int24"): "s32",
    ("alac", "int16"): "s16p",
    ("alac", "int24"): "s32p",
}
"""FFmpeg's formats of samples; 24 bits are the upper ones of 32, and p is for planar."""


def start_encoder(file: BinaryIO, sample_rate: int, channels: int, encoding: Encoding, tags: Tags) -> Encoder:
    """An encoder that writes to an open file."""
    kinds: dict[str, type[_FFmpegEncoder | _VorbisEncoder]] = {"ogg": _VorbisEncoder, STEM_FILE: _StemFileEncoder}
    return kinds.get(encoding.format, _FFmpegEncoder)(file, sample_rate, channels, encoding, tags)


class _FFmpegEncoder:
    """One track, of all channels."""

    def __init__(self, file: BinaryIO, sample_rate: int, channels: int, encoding: Encoding, tags: Tags) -> None:
        self._file, self._rate, self._samples = file, sample_rate, 0
        self._container = _open(file, encoding.format)
        self._streams = self._tracks(channels, encoding)
        self._cover = _describe(self._container, self._streams[0], encoding.format, tags)

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append a block `(C, n)`, the channels of all tracks."""
        if not samples.shape[1]:
            return
        channels = len(samples) // len(self._streams)
        for number, stream in enumerate(self._streams):
            frame = _frame(samples[number * channels : (number + 1) * channels], stream.codec_context.format.name)
            frame.sample_rate, frame.pts, frame.time_base = self._rate, self._samples, Fraction(1, self._rate)
            self._encode(stream, frame)
        self._samples += samples.shape[1]

    def close(self) -> None:
        """Empty the encoder and finish the container."""
        for stream in self._streams:
            self._encode(stream, None)
        try:
            self._container.close()
        except FFmpegError as error:
            raise OSError(error.errno, error.strerror) from None

    def _tracks(self, channels: int, encoding: Encoding) -> list[AudioStream]:
        return [self._track(_CODECS[encoding.format], "mono" if channels == 1 else "stereo", encoding)]

    def _track(self, codec: str, layout: str, encoding: Encoding) -> AudioStream:
        stream = self._container.add_stream(codec, rate=self._rate, layout=layout)
        assert isinstance(stream, AudioStream)
        if encoding.depth == "lossy":
            stream.bit_rate = 1000 * encoding.bitrate
        else:
            stream.codec_context.format = _SAMPLES[codec, encoding.depth]
        return stream

    def _encode(self, stream: AudioStream, frame: av.AudioFrame | None) -> None:
        try:
            packets = stream.encode(frame)
            self._container.mux(packets)
            if packets and self._cover is not None:
                self._container.mux(self._cover)
                self._cover = None
        except FFmpegError as error:
            raise OSError(error.errno, error.strerror) from None


class _StemFileEncoder(_FFmpegEncoder):
    """Five stereo tracks of one codec, AAC, or ALAC where there is a depth. Players take the first, the mix."""

    def close(self) -> None:
        """Finish the container and add the box that names the stems."""
        super().close()
        add_stem_box(self._file, STEM_FILE_STEMS)

    def _tracks(self, channels: int, encoding: Encoding) -> list[AudioStream]:
        codec = "aac" if encoding.depth == "lossy" else "alac"
        tracks = [self._track(codec, "stereo", encoding) for _ in range(channels // 2)]
        for number, (track, name) in enumerate(zip(tracks, ("mix", *STEM_FILE_STEMS), strict=True)):
            track.metadata["handler_name"] = name
            track.disposition = av.stream.Disposition(0 if number else av.stream.Disposition.default)
        return tracks


def _frame(samples: NDArray[np.float32], form: str) -> av.AudioFrame:
    """Samples `(C, n)` in one of FFmpeg's formats, which an encoder takes."""
    layout = "mono" if len(samples) == 1 else "stereo"
    scaled: NDArray[np.generic] = samples
    if form.startswith("s16"):
        scaled = to_integers(samples, 16)
    elif form.startswith("s32"):
        scaled = to_integers(samples, 24) << 8
    packed = scaled if form.endswith("p") else scaled.T.reshape(1, -1)
    return av.AudioFrame.from_ndarray(np.ascontiguousarray(packed), format=form, layout=layout)


class _VorbisEncoder:
    """FFmpeg's own Vorbis encoder is an experiment, so libsndfile encodes; FFmpeg then sets tags and serial number."""

    def __init__(self, file: BinaryIO, sample_rate: int, channels: int, encoding: Encoding, tags: Tags) -> None:
        self._file, self._tags = file, tags
        # libsndfile's scale of quality: 0 is best, 1 smallest. 0.2 is Vorbis q8, 256 kbit/s, and so on in a line.
        level = min(1.0, max(0.0, 1 - (encoding.bitrate - 32) / 280))
        self._encoded = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._sound = soundfile.SoundFile(
            self._encoded,
            "w",
            sample_rate,
            channels,
            format="OGG",
            subtype="VORBIS",
            compression_level=level,
        )

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append a block `(C, n)`."""
        try:
            self._sound.write(np.ascontiguousarray(samples.T))
        except soundfile.SoundFileError as error:
            raise OSError(0, str(error)) from None

    def close(self) -> None:
        """Copy what was encoded, with the tags, to the file."""
        self._sound.close()
        self._encoded.seek(0)
        try:
            with av.open(self._encoded, "r") as source, _open(self._file, "ogg") as target:
                stream = target.add_stream_from_template(source.streams.audio[0])
                _describe(target, stream, "ogg", self._tags)
                for packet in source.demux(source.streams.audio[0]):
                    if packet.dts is not None:
                        packet.stream = stream
                        target.mux(packet)
        except FFmpegError as error:
            raise OSError(error.errno, error.strerror) from None
        finally:
            self._encoded.close()


def _open(file: BinaryIO, name: str) -> OutputContainer:
    return av.open(file, "w", format=_CONTAINERS[name], container_options={"fflags": "+bitexact"})


def _describe(container: OutputContainer, stream: AudioStream, name: str, tags: Tags) -> av.Packet[Any] | None:
    """Set the tags; returns the cover as a packet to be written after the first of audio, where it is one."""
    if name in ("ogg", "opus"):
        stream.metadata.update(tags.values)
        if tags.cover is not None:
            stream.metadata["METADATA_BLOCK_PICTURE"] = picture_block(tags.cover)
        return None
    container.metadata.update(tags.values)
    if tags.cover is None:
        return None
    try:
        with av.open(io.BytesIO(tags.cover), "r") as picture:
            template = picture.streams.video[0]
            if not (template.codec_context.width and template.codec_context.height):
                return None
            place: VideoStream = container.add_stream_from_template(template)
    except (FFmpegError, ValueError, IndexError):  # a damaged picture is left out
        return None
    place.disposition = av.stream.Disposition.attached_pic
    packet: av.Packet[Any] = av.Packet(tags.cover)
    packet.stream, packet.pts, packet.dts, packet.time_base = place, 0, 0, Fraction(1, 1)
    return packet
