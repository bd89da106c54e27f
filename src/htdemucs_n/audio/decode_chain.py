"""Ogg and FLAC files that were joined end to end. Each link is decoded alone, so that no sample is lost or added."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio.resample import resample_blocks
from htdemucs_n.audio.stream import AudioStream
from htdemucs_n.errors import AudioError

OpenLink = Callable[[], AbstractContextManager[AudioStream]]
"""Opens one link of a chain. Raises `AudioError` where it cannot be decoded."""


class ChainedStream:
    """The links of a chain, one after the other (see `htdemucs_n.audio.stream.AudioStream`).

    All links are brought to the highest rate and to the most channels of any. A link that cannot be opened is left out
    and counts as damaged.
    """

    def __init__(self, links: Sequence[OpenLink]) -> None:
        """Open each link in turn for its header.

        Raises:
            AudioError: no link can be decoded.
        """
        self._links: list[OpenLink] = []
        self.sample_rate = self.channels = self.damaged = 0
        self.speakers: tuple[str, ...] = ()
        self.depth: str | None = None
        lengths: list[tuple[int | None, int]] = []
        unreadable = AudioError("the file has no links")
        for link in links:
            try:
                with link() as stream:
                    if not self._links:
                        self.depth = stream.depth
                    if stream.channels > self.channels:
                        self.channels, self.speakers = stream.channels, stream.speakers
                    self.sample_rate = max(self.sample_rate, stream.sample_rate)
                    lengths.append((stream.length, stream.sample_rate))
                    self._links.append(link)
            except AudioError as error:
                self.damaged += 1
                unreadable = error
        if not self._links:
            raise unreadable
        known = [round(length * self.sample_rate / rate) for length, rate in lengths if length is not None]
        self.length: int | None = sum(known) if len(known) == len(lengths) else None

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield blocks `(C, n)` of all links."""
        for link in self._links:
            with link() as stream:
                for block in resample_blocks(stream.blocks(), stream.sample_rate, self.sample_rate):
                    yield self._with_channels(block)
                self.damaged += stream.damaged

    def _with_channels(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """A link with fewer channels: mono goes to both sides, and the channels that it lacks are silent."""
        if len(block) == 1 and self.channels > 1:
            block = np.repeat(block, 2, axis=0)
        return np.pad(block, ((0, self.channels - len(block)), (0, 0)))
