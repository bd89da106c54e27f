"""The lanes of a job as streams of samples: its stems, and the song itself beside them, all of one rate and length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from htdemucs_n.audio import open_audio, resample_blocks
from htdemucs_n.audio.channels import at_most_stereo
from htdemucs_n.audio.stream import BLOCK, checked_blocks

ORIGINAL = "original"
"""The name of the lane of the song itself."""


class Sound(BaseModel):
    """What the lanes of a job have in common."""

    sample_rate: int = Field(description="Hz")
    length: int = Field(description="samples of every lane")
    channels: int = Field(description="of every lane, 1 or 2")
    lanes: list[str] = Field(description="the names of the stems; the song itself is the lane original")


def sound_of(stems: dict[str, Path], seconds: float) -> Sound:
    """The sound of a job with the files `stems`, whose song is `seconds` long. Raises `UserError` for a bad file."""
    with open_audio(next(iter(stems.values()))) as audio:
        rate = audio.sample_rate
        return Sound(
            sample_rate=rate,
            length=max(1, round(seconds * rate)),
            channels=min(2, audio.channels),
            lanes=list(stems),
        )


def stem_blocks(
    files: Sequence[Path], sound: Sound, start: int = 0, end: int | None = None
) -> Iterator[NDArray[np.float32]]:
    """The samples of stems from `start` to before `end`, as blocks `(S, C, n)`. Raises `UserError` for a bad file."""
    with ExitStack() as opened:
        streams = [opened.enter_context(open_audio(file)) for file in files]
        blocks = [checked_blocks(stream, file) for stream, file in zip(streams, files, strict=True)]
        lanes = [_cut(each, sound, start, sound.length if end is None else end) for each in blocks]
        for together in zip(*lanes, strict=True):
            yield np.stack(together)


def song_blocks(song: Path, sound: Sound, start: int = 0, end: int | None = None) -> Iterator[NDArray[np.float32]]:
    """The samples of the song itself at the rate of the stems, as blocks `(C, n)`. Raises `UserError`."""
    with open_audio(song) as audio:
        blocks = (at_most_stereo(block, audio.speakers) for block in checked_blocks(audio, song))
        resampled = resample_blocks(blocks, audio.sample_rate, sound.sample_rate)
        yield from _cut(resampled, sound, start, sound.length if end is None else end)


def _cut(blocks: Iterable[NDArray[np.float32]], sound: Sound, start: int, end: int) -> Iterator[NDArray[np.float32]]:
    """Blocks `(C, n)` of one length, of which the last is shorter: what ends early goes on with zeros."""
    silence = np.zeros((sound.channels, BLOCK), np.float32)
    held = silence[:, :0]
    skip, left = start, end - start
    for block in chain(blocks, repeat(silence)):
        skipped = min(skip, block.shape[1])
        skip -= skipped
        block = np.broadcast_to(block, (sound.channels, block.shape[1]))[:, skipped:]
        held = np.concatenate([held, block], axis=1)
        while left and held.shape[1] >= (size := min(BLOCK, left)):
            yield held[:, :size]
            held, left = held[:, size:], left - size
        if not left:
            return
