"""The versions that an ONNX file is written in, from its protobuf, without the package onnx.

A protobuf message is a row of fields. Each begins with a number that holds its key and its kind: a number (0), or a
length and as many bytes (2). A model has no fields of other kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_IR_VERSION, _OPSET_IMPORT = 1, 8
"""Keys of a model."""

_DOMAIN, _VERSION = 1, 2
"""Keys of an opset; that of the operators of ONNX has no domain."""


class OnnxVersions(NamedTuple):
    """The version of the format, and that of the operators of ONNX; 0 where the file does not say it."""

    ir_version: int
    opset: int


def onnx_versions(path: Path) -> OnnxVersions:
    """The versions of the file `path`, which a library has loaded: a damaged file may raise anything.

    Raises:
        OSError: the file cannot be read.
    """
    ir_version = opset = 0
    for key, value in _fields(memoryview(path.read_bytes())):
        if key == _IR_VERSION and isinstance(value, int):
            ir_version = value
        elif key == _OPSET_IMPORT and isinstance(value, memoryview):
            fields = dict(_fields(value))
            version = fields.get(_VERSION)
            if not fields.get(_DOMAIN) and isinstance(version, int):
                opset = max(opset, version)
    return OnnxVersions(ir_version, opset)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message, by their keys, up to one of another kind."""
    place = 0
    while place < len(message):
        start, place = _number(message, place)
        key, kind = start >> 3, start & 7
        if kind not in (0, 2):
            return
        value, place = _number(message, place)
        if kind == 0:
            yield key, value
        else:
            yield key, message[place : place + value]
            place += value


def _number(message: memoryview, place: int) -> tuple[int, int]:
    """The number at a place, 7 bits a byte, the lowest first, and the place behind it."""
    value = shift = 0
    while message[place] >= 0x80:
        value |= (message[place] & 0x7F) << shift
        place, shift = place + 1, shift + 7
    return value | message[place] << shift, place + 1
