"""The box `moov/udta/stem` of an MP4 file, which makes DJ software show its tracks as stems.

It holds JSON: the version of the format, the names and colours of the stems, and the settings of a compressor and a
limiter for their mix, which are off. Source: the tool `ni-stem` of Native Instruments, whose default settings these
are. Boxes: ISO/IEC 14496-12, section 4.2.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import BinaryIO

_COLOURS = ("#009E73", "#D55E00", "#CC79A7", "#56B4E9")
_HEAD = 8
"""Bytes of a box before its content: its size and its name."""

_MASTERING = {
    "compressor": {
        "enabled": False,
        "ratio": 3,
        "output_gain": 0.5,
        "release": 0.3,
        "attack": 0.003,
        "input_gain": 0.5,
        "threshold": 0,
        "hp_cutoff": 300,
        "dry_wet": 50,
    },
    "limiter": {"enabled": False, "release": 0.05, "threshold": 0, "ceiling": -0.35},
}


def stem_manifest(names: Sequence[str]) -> bytes:
    """The content of the box for the four stems `names`."""
    stems = [{"color": colour, "name": name} for colour, name in zip(_COLOURS, names, strict=True)]
    return json.dumps({"mastering_dsp": _MASTERING, "version": 1, "stems": stems}, separators=(",", ":")).encode()


def add_stem_box(file: BinaryIO, names: Sequence[str]) -> None:
    """Put the box into a finished MP4 file that ends with its box `moov`, as FFmpeg writes them.

    Nothing before `moov` moves, so that the places of the samples, which it holds, stay true.
    """
    start, moov = _last_box(file)
    if moov[4:_HEAD] != b"moov":
        raise ValueError("the file does not end with the box moov")
    place = _child(moov, b"udta")
    udta = moov[place : place + _size(moov, place)] if place else _box(b"udta", b"")
    rest = moov[_HEAD:place] + moov[place + len(udta) :] if place else moov[_HEAD:]
    udta = _box(b"udta", udta[_HEAD:] + _box(b"stem", stem_manifest(names)))
    file.seek(start)
    file.write(_box(b"moov", rest + udta))


def _last_box(file: BinaryIO) -> tuple[int, bytes]:
    """The place of the last box of a file, and the box."""
    end = file.seek(0, 2)
    start = after = 0
    while after < end:
        start = after
        file.seek(start)
        head = file.read(16)
        size = struct.unpack(">I", head[:4])[0]
        after += struct.unpack(">Q", head[8:])[0] if size == 1 else size  # 1: the size is behind the name, in 64 bits
    file.seek(start)
    return start, file.read()


def _child(box: bytes, name: bytes) -> int:
    """The place of a box directly inside `box`; 0 where there is none."""
    place = _HEAD
    while place < len(box):
        if box[place + 4 : place + _HEAD] == name:
            return place
        place += _size(box, place)
    return 0


def _size(box: bytes, place: int) -> int:
    return int(struct.unpack_from(">I", box, place)[0])


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", _HEAD + len(content), name) + content
