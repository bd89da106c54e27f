"""Read the audio of any file: plain audio by libsndfile, everything else by FFmpeg's decoders (PyAV).

Two kinds of file go to PyAV although libsndfile reads them:

* MPEG audio: libsndfile's decoder prints its own warnings for a damaged file, and gives back less of it.
* More than two channels: libsndfile leaves Vorbis and Opus channels in their own order; PyAV puts every
  format in WAVE order (left, right, centre, low frequency, back left, back right).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from htdemucs_n.errors import UserError


@dataclass(frozen=True, eq=False)
class Audio:
    """Decoded audio: `samples` `(C, T)`, float32, full scale 1.0, all finite; `sample_rate` in Hz."""

    samples: NDArray[np.float32]
    sample_rate: int


def read_audio(path: str | Path, stream: int = 0) -> Audio:
    """Read all the audio of a file: wav, flac, aiff, ogg, opus, mp3, m4a, aac, or a video.

    `stream` is which of the file's audio streams, for the few that have several (MUSDB18's `.stem.mp4`). Any
    sample rate and channel count; more than two channels come in WAVE order. A file cut short gives the part
    that can still be decoded.

    Raises:
        UserError: no such file, a folder, not readable, empty, not audio, no such audio stream, no samples, or
            samples that are NaN or infinite.
    """
    path = Path(path)
    decoded = None if _is_mpeg(_head(path)) or stream else _read_with_soundfile(path)
    if decoded is None:
        from htdemucs_n.audio.container import decode_container  # PyAV loads all of FFmpeg: only when needed

        decoded = decode_container(path, stream)
    if not decoded.samples.shape[1]:
        raise UserError(f"'{path}' holds no audio that can be read: it is cut short or not audio, get the file again")
    if not np.isfinite(decoded.samples).all():
        raise UserError(f"'{path}' holds NaN or infinite samples: export it again from its source")
    return decoded


def _head(path: Path) -> bytes:
    """First bytes of a file, or the reason why there are none."""
    try:
        if path.is_dir():
            raise UserError(f"'{path}' is a folder: pass the files in it, for example {path}/*.mp3")
        with path.open("rb") as file:
            head = file.read(4)
    except FileNotFoundError:
        raise UserError(f"'{path}' does not exist: check the name and the folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"'{path}' cannot be opened ({reason}): check the name and its permissions") from None
    if not head:
        raise UserError(f"'{path}' is empty (0 bytes): get the file again")
    return head


def _is_mpeg(head: bytes) -> bool:
    """Whether a file begins like MPEG audio: an ID3 tag, or the 11 set bits of a frame's sync word."""
    return head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0)


def _read_with_soundfile(path: Path) -> Audio | None:
    """Read a file of one or two channels, or None when libsndfile does not know or cannot finish it."""
    try:
        # An open file instead of its name: any name that the system can hold will do.
        with path.open("rb") as file, soundfile.SoundFile(file) as sound:
            if sound.channels > 2:
                return None
            frames = sound.read(dtype="float32", always_2d=True)
            return Audio(np.ascontiguousarray(frames.T), sound.samplerate)
    except (soundfile.SoundFileError, TypeError):  # TypeError: a name that ends in .raw asks for a rate
        return None
