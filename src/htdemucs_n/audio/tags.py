"""Title, artist, cover: read from a song, to be written with its stems."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEPT = (
    "title",
    "artist",
    "album",
    "album_artist",
    "track",
    "disc",
    "date",
    "genre",
    "composer",
    "comment",
    "copyright",
)
"""Names of FFmpeg's metadata that every format can store; others are not copied."""

_MAX_COVER = 16 * 2**20


@dataclass(frozen=True)
class Tags:
    """`values` by FFmpeg's names; `cover` is a whole JPEG or PNG file."""

    values: Mapping[str, str] = field(default_factory=dict)
    cover: bytes | None = None


NO_TAGS = Tags()


def read_tags(path: Path) -> Tags:
    """The tags of a file; none where it cannot be read. Never raises for what is in the file."""
    import av  # loads all of FFmpeg: only when needed
    from av.error import FFmpegError

    from htdemucs_n.audio.file_view import FileView

    try:
        with (
            path.open("rb") as file,
            av.open(FileView(file), "r", options={"protocol_whitelist": ""}, metadata_errors="replace") as container,
        ):
            found = {key.lower(): text for key, text in container.metadata.items()}
            for stream in container.streams.audio[:1]:  # Ogg keeps them with the stream
                found |= {key.lower(): text for key, text in stream.metadata.items()}
            values = {key: found[key].replace("\0", "") for key in KEPT if found.get(key)}
            cover = None
            for picture in container.streams.video:
                if picture.disposition & av.stream.Disposition.attached_pic:
                    packet = next(container.demux(picture), None)
                    data = bytes(packet) if packet is not None else b""
                    cover = data if _is_picture(data) else None
                    break
            return Tags(values, cover)
    except (FFmpegError, OSError, ValueError, EOFError):
        return NO_TAGS


def picture_block(cover: bytes) -> str:
    """A cover as Ogg's comments hold it: a FLAC picture block (RFC 9639, section 8.8), in base64.

    The sizes of the picture may be left 0.
    """
    mime = b"image/png" if cover.startswith(b"\x89PNG") else b"image/jpeg"
    head = struct.pack(">II", 3, len(mime)) + mime + struct.pack(">I4I", 0, 0, 0, 0, 0)  # 3: front cover
    return base64.b64encode(head + struct.pack(">I", len(cover)) + cover).decode("ascii")


def _is_picture(data: bytes) -> bool:
    return len(data) <= _MAX_COVER and data.startswith((b"\x89PNG", b"\xff\xd8\xff"))
