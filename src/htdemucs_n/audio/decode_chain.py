"""Ogg files that were joined end to end: each link is decoded by itself, so that no sample is lost or added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from htdemucs_n.audio.decode_soundfile import SoundFileStream, open_with_soundfile
from htdemucs_n.audio.file_view import FileView
from htdemucs_n.audio.resample import resample_blocks
from htdemucs_n.errors import UserError


class ChainedStream:
    """The links of a chain, one after the other (see `htdemucs_n.audio.stream.AudioStream`).

    All links are brought to the highest rate and to the most channels of any.
    """

    speakers: tuple[str, ...] = ()
    depth: str | None = None

    def __init__(self, file: BinaryIO, places: Sequence[tuple[int, int]], path: str | Path) -> None:
        """`places` are the first byte of each link and the one after its last.

        Raises:
            UserError: no link can be decoded.
        """
        self._file, self._places, self._path = file, places, path
        self.damaged = 0
        sounds = [sound for sound in map(self._open, places) if sound is not None]
        if not sounds:
            raise UserError(f"'{path}' is not an audio file that can be read: check what it is, or convert it to wav")
        self.sample_rate: int = max(sound.samplerate for sound in sounds)
        self.channels: int = max(sound.channels for sound in sounds)
        self.length: int | None = sum(round(s.frames * self.sample_rate / s.samplerate) for s in sounds)
        for sound in sounds:
            sound.close()

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield blocks `(C, n)` of all links."""
        for place in self._places:
            sound = self._open(place)
            if sound is None:
                self.damaged += 1
                continue
            with sound:
                link = SoundFileStream(sound, None, self._path)
                for block in resample_blocks(link.blocks(), link.sample_rate, self.sample_rate):
                    yield self._with_channels(block)
                self.damaged += link.damaged

    def _open(self, place: tuple[int, int]) -> soundfile.SoundFile | None:
        return open_with_soundfile(FileView(self._file, *place))

    def _with_channels(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean of a link with fewer channels on each of them: mono on both sides."""
        if len(block) == self.channels:
            return block
        mean: NDArray[np.float32] = block.mean(axis=0, keepdims=True, dtype=np.float32)
        return np.repeat(mean, self.channels, axis=0)
