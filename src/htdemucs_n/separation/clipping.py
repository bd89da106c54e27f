"""Stems that are louder than a file can hold, as a stream. One gain for all of them: they still add up."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.errors import OutputError

Stems = NDArray[np.float32]
"""`(S, C, n)`."""

CLIP_MODES = ("rescale", "clamp", "limit", "none")

_STEP = 256
"""Samples over which a limiter's gain falls; it begins to fall that far ahead of a peak."""

_RECOVERY = 10.0
"""How much a limiter's gain rises in a second, at most."""


@dataclass
class Levels:
    """What was done to the levels of a song: `gain`, the lowest that was used; `clipped`, whether samples were cut."""

    gain: float = 1.0
    clipped: bool = False


def clip_blocks(
    blocks: Iterable[Stems],
    mode: str,
    sample_rate: int,
    levels: Levels,
    folder: Path | None = None,
    wanted: Sequence[int] | None = None,
) -> Iterator[Stems]:
    """Keep blocks of stems `(S, C, n)` within full scale, by one of `CLIP_MODES`; `levels` records what was done.

    Only the stems `wanted` come out, by default all; a gain is that of all stems nevertheless.

    * `rescale`: one gain for all stems and the whole song, where a sample of it goes beyond full scale. It is known
      only at the end, so the stems wait in a nameless temporary file, float32, in `folder`.
    * `clamp`: samples are cut at full scale.
    * `limit`: one gain for all stems that falls ahead of a peak (5.8 ms at 44.1 kHz) and rises after it.
    * `none`: nothing.
    """
    rows = slice(None) if wanted is None else list(wanted)
    if mode == "rescale":
        return _rescaled(blocks, levels, folder, rows)
    if mode == "limit":
        return (block[rows] for block in _limited(blocks, sample_rate, levels))
    return _clamped((block[rows] for block in blocks), mode == "clamp", levels)


def _clamped(blocks: Iterable[Stems], clamp: bool, levels: Levels) -> Iterator[Stems]:
    for block in blocks:
        levels.clipped = levels.clipped or _peak(block) > 1
        yield block.clip(-1, 1) if clamp else block


def _peak(block: Stems) -> float:
    return float(max(block.max(initial=0), -block.min(initial=0)))


def _rescaled(blocks: Iterable[Stems], levels: Levels, folder: Path | None, rows: slice | list[int]) -> Iterator[Stems]:
    with _temporary_file(folder) as waiting:
        peak, shapes = 0.0, []
        for block in blocks:
            peak = max(peak, _peak(block))
            kept = np.ascontiguousarray(block[rows])
            shapes.append(kept.shape)
            with _explained(folder):
                waiting.write(kept.data)
        levels.gain = 1.0 / max(1.0, peak)
        with _explained(folder):
            waiting.seek(0)  # writes what is still buffered
        for shape in shapes:
            samples = np.frombuffer(waiting.read(4 * math.prod(shape)), np.float32).reshape(shape)
            yield samples * levels.gain


@contextlib.contextmanager
def _temporary_file(folder: Path | None) -> Iterator[BinaryIO]:
    """A nameless file in a folder. What is still buffered when an error ends the block is not written."""
    with _explained(folder):
        file = cast(BinaryIO, tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - closed below
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            file.close()


@contextlib.contextmanager
def _explained(folder: Path | None) -> Iterator[None]:
    """`OSError` as `OutputError`."""
    try:
        yield
    except OSError as error:
        # Into the folder of the output the stems have to be written too, whatever is done to their levels.
        mend = "choose another" if folder else "choose --clip-mode clamp, which needs no such file"
        raise OutputError(
            f"cannot write a temporary file in '{folder or tempfile.gettempdir()}' ({error.strerror or error}): "
            f"make room, make the folder writable, or {mend}"
        ) from None


def _limited(blocks: Iterable[Stems], sample_rate: int, levels: Levels) -> Iterator[Stems]:
    """In steps of 256 samples: the gain at a border holds for both steps beside it, and is a line between borders.

    So no sample can come out over full scale, and the gain never jumps.
    """
    rise = _RECOVERY * _STEP / sample_rate
    border = 1.0  # gain at the beginning of `held`
    held = np.empty(0, np.float32)  # (S, C, n): what waits for the step after it
    for block in blocks:
        held = np.concatenate([held, block], axis=-1) if held.size else block
        steps = held.shape[-1] // _STEP - 1
        if steps < 1:
            continue
        ramp, border = _gains(held[..., : (steps + 1) * _STEP], steps, border, rise)
        levels.gain = min(levels.gain, float(ramp.min()))
        yield held[..., : steps * _STEP] * ramp
        held = held[..., steps * _STEP :]
    if held.size:
        length = held.shape[-1]
        steps = -(-length // _STEP)
        padded = np.pad(held, ((0, 0), (0, 0), (0, (steps + 1) * _STEP - length)))
        ramp, _ = _gains(padded, steps, border, rise)
        levels.gain = min(levels.gain, float(ramp[:length].min()))
        yield held * ramp[:length]


def _gains(stems: Stems, steps: int, border: float, rise: float) -> tuple[NDArray[np.float32], float]:
    """Gain `(steps * 256,)` for `(S, C, (steps + 1) * 256)`, the first border's being given; and the last border's."""
    peaks = np.abs(stems).max(axis=(0, 1)).reshape(steps + 1, _STEP).max(axis=1)
    allowed = 1.0 / np.maximum(1.0, peaks)
    borders = [min(border, float(allowed[0]))]
    for here, after in pairwise(allowed):
        borders.append(min(float(here), float(after), borders[-1] + rise))
    line = np.interp(np.arange(steps * _STEP) / _STEP, np.arange(steps + 1), borders)
    return np.minimum(line, np.repeat(allowed[:-1], _STEP)).astype(np.float32), borders[-1]
