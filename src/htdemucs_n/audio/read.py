"""Read the audio of any file as a stream: plain audio by libsndfile, everything else by FFmpeg's decoders (PyAV).

Some kinds of file go to PyAV although libsndfile reads them:

* MPEG audio: libsndfile's decoder prints its own warnings for a damaged file, and gives back less of it.
* More than two channels: libsndfile leaves Vorbis and Opus channels in their own order and does not name them; PyAV
  puts every format in WAVE order (left, right, centre, low frequency, back left, back right) with names.
* FLAC of unknown length, of which libsndfile loses the end.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np

from htdemucs_n.audio.decode_chain import ChainedStream
from htdemucs_n.audio.decode_soundfile import SoundFileStream, open_with_soundfile
from htdemucs_n.audio.file_view import FileView
from htdemucs_n.audio.headers import (
    audio_view,
    is_mpeg,
    is_open_ended_flac,
    joined_links,
    promised_by_mpeg,
    promised_by_wav,
)
from htdemucs_n.audio.stream import Audio, AudioStream, check_rate, checked_blocks
from htdemucs_n.errors import AudioError
from htdemucs_n.files import as_url


@contextmanager
def open_audio(path: str | Path | BinaryIO, stream: int = 0, name: str = "file object") -> Iterator[AudioStream]:
    """Open a file, or a seekable binary file object: wav, flac, aiff, ogg, opus, mp3, m4a, or a video.

    `stream` is which of its audio streams, for the few files that have several (MUSDB18's `.stem.mp4`). Any
    sample rate and channel count; more than two channels come in WAVE order. The file is read as it is now: what is
    appended later is not. A file cut short gives the part that can still be decoded. `name` is what messages call a
    file object without a name of its own.

    Raises:
        AudioError: no such file, a folder, not readable, empty, not audio, no such audio stream, or a sample rate that
            no audio has.
    """
    with _open(path) as file:
        if not isinstance(path, str | Path):
            own = getattr(file, "name", None)  # a temporary file has a number
            path = own if isinstance(own, str) else name
        view = audio_view(file)
        if not view.size:
            raise AudioError(f"'{path}' is empty (0 bytes): get the file again")
        links = [] if stream else joined_links(view)
        if len(links) > 1:
            yield ChainedStream([partial(_decoded, FileView(cast(BinaryIO, view), *link), path) for link in links])
            return
        with _decoded(view, path, stream) as decoded:
            yield decoded


@contextmanager
def _decoded(view: FileView, path: str | Path, stream: int = 0) -> Iterator[AudioStream]:
    """Open a file that is no chain with the decoder that reads it best. Raises `AudioError` as `open_audio`."""
    view.seek(0)
    head = view.read(4) or b""
    view.seek(0)
    open_ended = is_open_ended_flac(view)
    sound = None if stream or is_mpeg(head) or open_ended else open_with_soundfile(view)
    if sound is not None:
        with sound:
            check_rate(sound.samplerate, path)
            yield SoundFileStream(sound, promised_by_wav(view) if sound.format == "WAV" else None, path)
        return
    if head == b"RIFF" and promised_by_wav(view) == 0:
        raise AudioError(f"'{path}' contains no audio: get the file again")  # FFmpeg would read what follows as samples
    view.seek(0)
    from htdemucs_n.audio.decode_ffmpeg import open_container  # PyAV loads all of FFmpeg: only when needed

    promised = promised_by_mpeg(view) if is_mpeg(head) else None
    with open_container(cast(IO[bytes], view), path, promised, stream, reliable=not open_ended) as decoded:
        yield decoded


def read_audio(path: str | Path | BinaryIO, stream: int = 0) -> Audio:
    """Read all the audio of a file, as `open_audio` does.

    Raises:
        AudioError: as `open_audio`; no samples, or samples that are NaN or infinite.
    """
    with open_audio(path, stream) as opened:
        blocks = list(checked_blocks(opened, path if isinstance(path, str | Path) else "file object"))
        return Audio(np.concatenate(blocks, axis=1), opened.sample_rate, opened.speakers)


def _open(path: str | Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """An open file, or the reason why there is none. A file object stays open."""
    if not isinstance(path, str | Path):
        if (
            getattr(path, "closed", False)
            or isinstance(path, io.TextIOBase)
            or (hasattr(path, "readable") and not path.readable())
        ):
            name = getattr(path, "name", "file object")
            raise AudioError(f"'{name}' is not open for reading bytes: open it with open(..., 'rb')")
        if not (hasattr(path, "seekable") and path.seekable()):
            kind = type(path).__name__
            raise AudioError(f"{kind} is not a seekable file object: give a path, or put the bytes into io.BytesIO")
        return nullcontext(path)
    given, path = path, Path(path)
    try:
        if path.is_dir():
            raise AudioError(f"'{path}' is a folder: pass the files in it, for example {path}/*.mp3")
        if path.exists() and not path.is_file():
            raise AudioError(f"'{path}' is a device or a pipe: pass a file, or - to read from a pipe")
        return path.open("rb")
    except FileNotFoundError:
        if url := as_url(given):
            raise AudioError(f"'{url}': URLs are not read: download the file and pass its name") from None
        raise AudioError(f"'{path}' does not exist: check the name and the folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"'{path}' cannot be opened ({reason}): check the name and its permissions") from None
