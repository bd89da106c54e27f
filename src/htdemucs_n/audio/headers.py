"""Headers of a file, read before its decoder: tags around the audio, unknown sizes, lengths.

Decoders take wrong headers at their word. A recorder that crashed leaves a size of 0 in a WAV file, one that writes
to a pipe the largest size there is; taggers put ID3 tags in front of formats that have none. `audio_view` gives
decoders the file without these.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import BinaryIO

from htdemucs_n.audio.file_view import FileView

_OPEN_SIZES = range(0x7FFF0000, 0x80000001)
"""Sizes of a WAV's samples that stand for an unknown one, as SoX and arecord write to a pipe; so do 0xFFFF0000 and
above."""


_TAGGED_BEHIND = (b"wvpk", b"TTA1", b"MAC ")
"""How formats begin that have tags at their end, as MPEG audio has."""


def audio_view(file: BinaryIO) -> FileView:
    """The part of an open file that is audio, with a WAV header that has the right sizes."""
    view = FileView(file)
    start = _tag_before(view)
    end = view.size
    head = _at(view, start, 12)
    if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
        sizes = _wav_sizes if head[:4] == b"RIFF" else _rf64_sizes
        return FileView(file, start, end, sizes(FileView(file, start)))
    if start and not _is_other_format(head):
        start = 0  # MPEG audio: its decoder knows the tag
    if (is_mpeg(_at(view, 0, 4)) and start == 0) or head[:4] in _TAGGED_BEHIND:
        end -= _tags_behind(view)
    return FileView(file, start, end)


def is_mpeg(head: bytes) -> bool:
    """Whether a file begins like MPEG audio: an ID3 tag, or the 11 set bits of a frame's sync word."""
    return head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0)


def promised_by_wav(view: FileView) -> int | None:
    """Samples that a WAV header's sizes amount to, or None where they are left open."""
    chunks = _wav_chunks(view)
    if "fmt " not in chunks or "data" not in chunks:
        return None
    align = struct.unpack("<12xH", _at(view, chunks["fmt "][0], 14))[0]
    size = chunks["data"][1]
    return size // align if align and size < 2**32 - 1 else None


def is_wav_without_samples(view: FileView) -> bool:
    """Whether a WAV header says that there are no samples, and other chunks follow. The beginning of a file will do."""
    start, size = _wav_chunks(view).get("data", (0, 0))
    return size == 0 < start < view.size and _are_chunks(view, start)


def promised_by_mpeg(view: FileView) -> int | None:
    """Samples by the Xing or Info header of an mp3 file; None without one.

    FFmpeg reads it too, but ignores it where the file is shorter than it says, which is the case of interest here.
    """
    frame = _at(view, _tag_before(view), 400)
    found = max(frame.find(b"Xing"), frame.find(b"Info"))
    if found < 0 or len(frame) < found + 12 or not frame[found + 7] & 1:
        return None
    (frames,) = struct.unpack(">I", frame[found + 8 : found + 12])
    version_1 = bool(frame[1] & 8)
    return int(frames) * (1152 if version_1 else 576)


def is_open_ended_flac(view: FileView) -> bool:
    """Whether a FLAC file does not say how many samples it has, as when its encoder wrote to a pipe."""
    head = _at(view, 0, 26)  # "fLaC", the head of the first block, and STREAMINFO up to its 36 bits of length
    return head[:4] == b"fLaC" and len(head) == 26 and not head[21] & 15 and not any(head[22:26])


def joined_links(view: FileView) -> list[tuple[int, int]]:
    """Where the links of a file begin and end, bytes: several for Ogg or FLAC files that were joined end to end."""
    starts = {b"OggS": _ogg_starts, b"fLaC": _flac_starts}.get(_at(view, 0, 4))
    return list(pairwise([*(starts(view) if starts else [0]), view.size]))


def _ogg_starts(view: FileView) -> list[int]:
    """Where links begin: with the first page of a stream (RFC 3533, section 6) after other pages than first ones.

    What is no page, as a tag between two files, is passed over. A page that was cut off seems to end inside another
    page or behind the file: then the search goes on from its own beginning.
    """
    starts, page, place, begun = [0], 0, 0, False
    while place != view.size:
        head = _at(view, place, 27)
        if len(head) < 27 or head[:4] != b"OggS":
            page = place = _find(view, b"OggS", page + 4)
            continue
        first = bool(head[5] & 2)
        if first and begun:
            starts.append(place)
        begun, page = not first, place
        lacing = _at(view, place + 27, head[26])
        place += 27 + len(lacing) + sum(lacing)
    return starts


def _flac_starts(view: FileView) -> list[int]:
    """Where links begin: with "fLaC" and the head of STREAMINFO, 34 bytes long (RFC 9639, section 8.2)."""
    starts, place = [0], 4
    while (place := _find(view, b"fLaC", place)) < view.size:
        if _at(view, place + 4, 4) in (b"\0\0\0\x22", b"\x80\0\0\x22"):  # the upper bit: no other metadata follow
            starts.append(place)
        place += 4
    return starts


def _at(view: FileView, place: int, count: int) -> bytes:
    """Up to `count` bytes from a place in the view, which stands where it stood afterwards."""
    before = view.tell()
    view.seek(place)
    data = view.read(count) or b""
    view.seek(before)
    return data


def _find(view: FileView, pattern: bytes, place: int) -> int:
    """The first place of a pattern from `place` on; the end of the view without one."""
    while len(data := _at(view, place, 65536)) >= len(pattern):
        if (found := data.find(pattern)) >= 0:
            return place + found
        place += len(data) - len(pattern) + 1
    return view.size


def _is_other_format(head: bytes) -> bool:
    """Whether a file that is not MPEG audio begins here."""
    names = (b"FORM", b"wvpk", b"fLaC", b"OggS", b"RIFF", b"RF64", b"riff", b"MAC ", b"TTA1", b"caff", b".snd")
    return head[:4] in names or head[4:8] == b"ftyp" or head[:4] == b"\x1aE\xdf\xa3"  # MP4; Matroska and WebM


def _tag_before(view: FileView) -> int:
    """Bytes of the ID3v2 tags at the beginning."""
    place = 0
    while (head := _at(view, place, 10))[:3] == b"ID3" and len(head) == 10:
        place += 10 + _id3_size(head) + (10 if head[5] & 16 else 0)  # with a footer
    return min(place, view.size)


def _id3_size(head: bytes) -> int:
    """Bytes of an ID3v2 tag between its header or footer `head` and its end; they are written with 7 bits per byte."""
    return sum((byte & 127) << 7 * (3 - n) for n, byte in enumerate(head[6:10]))


def _tags_behind(view: FileView) -> int:
    """Bytes of the tags at the end of a file: ID3v1, ID3v2 with a footer, Lyrics3 and APE, in any order."""
    end = view.size
    while True:
        tail = _at(view, max(0, end - 128), min(128, end))
        if tail[:3] == b"TAG" and len(tail) == 128:
            end -= 128
        elif tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
            end -= int(tail[-15:-9]) + 15
        elif tail[-9:] == b"LYRICSEND":
            start = _at(view, max(0, end - 5120), min(5120, end)).find(b"LYRICSBEGIN")
            if start < 0:
                break
            end = max(0, end - 5120) + start
        elif tail[-32:-24] == b"APETAGEX":
            size, flags = struct.unpack("<I4xI", tail[-20:-8])
            end -= size + (32 if flags & 1 << 31 else 0)
        elif tail[-10:-7] == b"3DI":
            end -= 20 + _id3_size(tail[-10:])
        else:
            break
        if end <= 0:
            return 0
    return view.size - end


def _wav_chunks(view: FileView) -> dict[str, tuple[int, int]]:
    """The chunks of a WAV file up to its samples: where the content begins, and its size as it is written."""
    chunks: dict[str, tuple[int, int]] = {}
    place = 12
    while "data" not in chunks and len(head := _at(view, place, 8)) == 8:
        name, size = struct.unpack("<4sI", head)
        chunks[name.decode("latin-1")] = (place + 8, size)
        place += 8 + size + size % 2
    return chunks


def _wav_sizes(view: FileView) -> dict[int, bytes]:
    """The sizes that a WAV header ought to have where it leaves them open: 0, or too large for the file."""
    start, size = _wav_chunks(view).get("data", (0, 0))
    left = view.size - start
    is_open = size == 0 or size in _OPEN_SIZES or size >= 0xFFFF0000
    if not start or not is_open or left <= 0 or size == left:
        return {}
    if size == 0 and _are_chunks(view, start):
        return {}  # there are no samples: other chunks follow
    if left > 0xFFFFFFF0:
        return {}
    return {4: struct.pack("<I", view.size - 8), start - 4: struct.pack("<I", left)}


def _rf64_sizes(view: FileView) -> dict[int, bytes]:
    """As `_wav_sizes`, for RF64, which has its sizes of 64 bits in a chunk of their own (EBU Tech 3306)."""
    chunks = _wav_chunks(view)
    start, place = chunks.get("data", (0, 0))[0], chunks.get("ds64", (0, 0))[0]
    left = view.size - start
    size = int.from_bytes(_at(view, place + 8, 8), "little")
    if not start or not place or left <= 0 or not (size == 0 or size >= 2**63) or _are_chunks(view, start):
        return {}
    return {place: struct.pack("<QQ", view.size - 8, left)}


def _are_chunks(view: FileView, position: int) -> bool:
    """Whether a WAV file goes on with chunks from `position` on: known ones, or any that end where the file ends."""
    if _at(view, position, 4) in (b"LIST", b"id3 ", b"ID3 ", b"fact", b"bext", b"cue "):
        return True
    while position + 8 <= view.size:
        name, size = struct.unpack("<4sI", _at(view, position, 8))
        if not all(32 <= byte < 127 for byte in name):
            return False
        position += 8 + size + size % 2
    return position in (view.size, view.size + 1)  # the last chunk may lack its padding
