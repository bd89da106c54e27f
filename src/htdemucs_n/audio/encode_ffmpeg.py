"""Encode flac, mp3, ogg, opus and m4a as a stream: FFmpeg's encoders through PyAV, libsndfile's for Vorbis.

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
from htdemucs_n.audio.formats import Encoding
from htdemucs_n.audio.integers import to_integers
from htdemucs_n.audio.tags import Tags, picture_block

_CONTAINERS = {"flac": "flac", "mp3": "mp3", "ogg": "ogg", "opus": "opus", "m4a": "mp4"}
_CODECS = {"flac": "flac", "mp3": "libmp3lame", "opus": "libopus", "m4a": "aac"}


def start_encoder(file: BinaryIO, sample_rate: int, channels: int, encoding: Encoding, tags: Tags) -> Encoder:
    """An encoder that writes to an open file."""
    kind = _VorbisEncoder if encoding.format == "ogg" else _FFmpegEncoder
    return kind(file, sample_rate, channels, encoding, tags)


class _FFmpegEncoder:
    def __init__(self, file: BinaryIO, sample_rate: int, channels: int, encoding: Encoding, tags: Tags) -> None:
        self._rate = sample_rate
        self._layout = "mono" if channels == 1 else "stereo"
        self._container = _open(file, encoding.format)
        stream = self._container.add_stream(_CODECS[encoding.format], rate=sample_rate, layout=self._layout)
        assert isinstance(stream, AudioStream)
        self._stream = stream
        self._depth = encoding.depth
        if encoding.format == "flac":
            self._stream.codec_context.format = "s32" if encoding.depth == "int24" else "s16"
        else:
            self._stream.bit_rate = 1000 * encoding.bitrate
        self._cover = _describe(self._container, self._stream, encoding.format, tags)
        self._samples = 0

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append a block `(C, n)`."""
        if not samples.shape[1]:
            return
        frame = self._frame(samples)
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._samples, Fraction(1, self._rate)
        self._samples += samples.shape[1]
        self._encode(frame)

    def close(self) -> None:
        """Empty the encoder and finish the container."""
        self._encode(None)
        try:
            self._container.close()
        except FFmpegError as error:
            raise OSError(error.errno, error.strerror) from None

    def _frame(self, samples: NDArray[np.float32]) -> av.AudioFrame:
        if self._depth == "int16":
            integers = to_integers(samples.T, 16)
            return av.AudioFrame.from_ndarray(integers.reshape(1, -1), format="s16", layout=self._layout)
        if self._depth == "int24":  # in the upper bits of 32
            wide = to_integers(samples.T, 24) << 8
            return av.AudioFrame.from_ndarray(wide.reshape(1, -1), format="s32", layout=self._layout)
        return av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self._layout)

    def _encode(self, frame: av.AudioFrame | None) -> None:
        try:
            packets = self._stream.encode(frame)
            self._container.mux(packets)
            if packets and self._cover is not None:
                self._container.mux(self._cover)
                self._cover = None
        except FFmpegError as error:
            raise OSError(error.errno, error.strerror) from None


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
