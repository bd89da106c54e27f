"""Decode the audio stream of a container (mp3, m4a, mp4, mkv, webm, ...) with FFmpeg's decoders (PyAV)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream as AvStream
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from htdemucs_n.audio.stream import check_rate
from htdemucs_n.errors import AudioError

# A playlist can name other files and addresses: with no protocol allowed only the opened file is read.
_OPTIONS = {"protocol_whitelist": ""}

_DEPTHS = {"u8": "int16", "u8p": "int16", "s16": "int16", "s16p": "int16", "s32": "int24", "s32p": "int24"}
"""FFmpeg decodes 24-bit samples into 32-bit ones."""

_LOSSLESS = ("flac", "alac", "wavpack", "ape", "tta", "truehd", "mlp", "shorten", "tak")

_GUESSED = ("aac", "mp3")
"""Formats without an index, whose length FFmpeg may have guessed from the first frames."""


_TRIMMED = 4096
"""Samples of an mp3 that its encoder added at both ends and FFmpeg leaves out, at most."""


@contextmanager
def open_container(
    file: IO[bytes], name: str | Path, promised: int | None = None, number: int = 0, reliable: bool = True
) -> Iterator[ContainerStream]:
    """Open audio stream `number` of `file`, called `name` in messages; it need not be seekable, if the format allows.

    `promised` is its length in samples, where that is known better than by FFmpeg; with `reliable` false the length
    that FFmpeg gives is not used.

    Raises:
        AudioError: not a format that FFmpeg knows, no such audio stream, or a codec without a decoder.
    """
    unreadable = f"'{name}' is not an audio file that can be read: check what it is, or convert it to wav"
    try:
        container = av.open(file, "r", options=_OPTIONS, metadata_errors="replace")
    except (FFmpegError, OSError, ValueError):
        raise AudioError(unreadable) from None
    with container:
        if not container.streams.audio:
            raise AudioError(f"'{name}' has no audio stream: pass a file with sound")
        if number >= (count := len(container.streams.audio)):
            raise AudioError(f"'{name}' has {count} audio streams, not {number + 1}: get the file again")
        stream = container.streams.audio[number]
        if stream.codec_context is None:
            raise AudioError(f"'{name}' has a codec that this FFmpeg cannot decode: convert it to wav")
        try:
            decoded = ContainerStream(container, stream, promised, reliable)
        except (FFmpegError, ValueError, OverflowError):
            raise AudioError(unreadable) from None
        check_rate(decoded.sample_rate, name)
        yield decoded


class ContainerStream:
    """An audio stream, at its own rate and channels in WAVE order (see `htdemucs_n.audio.stream.AudioStream`).

    When rate or channels change inside the stream, the first frame's hold.
    """

    def __init__(self, container: InputContainer, stream: AvStream, promised: int | None, reliable: bool) -> None:
        self._frames = self._decode(container, stream, promised)
        self.damaged = 0
        # Rate and layout are those of the first frame; the header can be wrong.
        self._first = next(self._frames, None)
        shape = self._first or stream.codec_context
        self.sample_rate: int = shape.sample_rate or 44100
        self._layout = shape.layout.name
        self.channels: int = len(shape.layout.channels)
        self.speakers: tuple[str, ...] = tuple(channel.name for channel in shape.layout.channels)
        lossless = stream.codec_context.name.startswith("pcm") or stream.codec_context.name in _LOSSLESS
        kind = shape.format.name if shape.format is not None else ""
        self.depth = _DEPTHS.get(kind, "float32") if lossless else None
        self.length = promised
        if (
            reliable
            and promised is None
            and stream.duration
            and stream.time_base
            and container.format.name not in _GUESSED
        ):
            self.length = round(stream.duration * stream.time_base * self.sample_rate)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield blocks `(C, n)`, as far as the stream can be decoded."""
        converters: dict[tuple[str, str, int], AudioResampler] = {}
        while self._first is not None:
            frame = self._first
            source = (frame.format.name, frame.layout.name, frame.sample_rate)
            if source not in converters:
                # Packed samples: of frames with eight planes or more, PyAV reads planes that are not there.
                converters[source] = AudioResampler(format="flt", layout=self._layout, rate=self.sample_rate)
            try:
                pieces = [self._unpacked(out) for out in converters[source].resample(frame)]
            except (FFmpegError, ValueError):  # a frame that contradicts itself
                pieces = []
                self.damaged += 1
            yield from pieces
            self._first = next(self._frames, None)

    def _unpacked(self, frame: AudioFrame) -> NDArray[np.float32]:
        """The samples `(C, n)` of a packed frame."""
        return np.ascontiguousarray(frame.to_ndarray().reshape(-1, self.channels).T, np.float32)

    def _decode(self, container: InputContainer, stream: AvStream, promised: int | None) -> Iterator[AudioFrame]:
        """Decode frame by frame; a damaged packet is left out and a damaged end ends the stream.

        What cannot be decoded after all `promised` samples, as a second tag behind an mp3, is no damage.
        """
        packets = container.demux(stream)
        decoded = 0
        while True:
            try:
                for frame in next(packets).decode():
                    decoded += frame.samples
                    yield frame
            except StopIteration:
                return
            except (FFmpegError, ValueError, OverflowError):
                self.damaged += promised is None or decoded < promised - _TRIMMED
