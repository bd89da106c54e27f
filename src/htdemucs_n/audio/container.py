"""Decode the audio stream of a container (mp3, m4a, mp4, mkv, webm, ...) with FFmpeg's decoders (PyAV)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from htdemucs_n.audio.read import Audio
from htdemucs_n.errors import UserError

# A playlist can name other files and addresses: with no protocol allowed only the opened file is read.
_OPTIONS = {"protocol_whitelist": ""}


def decode_container(path: Path, stream: int = 0) -> Audio:
    """Decode audio stream number `stream` of a file, at its own rate and channels, as far as it can be decoded.

    The channels come in WAVE order. When rate or channels change inside the stream, the first frame's hold.

    Raises:
        UserError: not a format that FFmpeg knows, or no such audio stream.
    """
    try:
        with (
            path.open("rb") as file,
            av.open(file, "r", options=_OPTIONS, metadata_errors="replace") as container,
        ):
            if not container.streams.audio:
                raise UserError(f"'{path}' has no audio stream: pass a file with sound")
            if stream >= len(container.streams.audio):
                count = len(container.streams.audio)
                raise UserError(f"'{path}' has {count} audio streams, not {stream + 1}: get the file again")
            return _decode(container, container.streams.audio[stream])
    except (FFmpegError, OSError, ValueError):
        raise UserError(
            f"'{path}' is not an audio file that can be read: check what it is, or convert it to wav"
        ) from None


def _decode(container: InputContainer, stream: AudioStream) -> Audio:
    chunks: list[NDArray[np.float32]] = []
    converters: dict[tuple[str, str, int], AudioResampler] = {}
    layout, rate = "", 0
    for frame in _frames(container, stream):
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        if not converters:
            layout, rate = frame.layout.name, frame.sample_rate
        if source not in converters:
            converters[source] = AudioResampler(format="fltp", layout=layout, rate=rate)
        chunks += [np.asarray(out.to_ndarray(), np.float32) for out in converters[source].resample(frame)]
    return Audio(np.concatenate(chunks, axis=1) if chunks else np.zeros((1, 0), np.float32), rate)


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Decode frame by frame; a damaged packet is left out and a damaged end ends the stream."""
    packets = container.demux(stream)
    while True:
        try:
            yield from next(packets).decode()
        except StopIteration:
            return
        except FFmpegError:
            continue
