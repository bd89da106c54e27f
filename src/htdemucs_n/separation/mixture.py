"""The mixture as it comes in: checked, brought to float32 stereo, and kept until its stems are there and complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio.channels import to_stereo
from htdemucs_n.errors import AudioError, ModelError
from htdemucs_n.separation.tensors import is_tensor, to_array

if TYPE_CHECKING:
    from htdemucs_n.separation.tensors import Samples

_PIECE = 65536
"""Samples handled at once between the segments: larger blocks are cut."""

_MAX_CHANNELS = 64
"""More rows than this are samples, in an array `(T, C)`."""


class PendingMixture:
    """The samples of a mixture that have been read and not yet been taken."""

    def __init__(self) -> None:
        self._pieces: list[NDArray[np.float32]] = []
        self.length = 0
        """Samples kept."""
        self.mono = False
        self.tensors = False
        """Whether it comes in tensors."""

    def read(self, blocks: Iterable[Samples]) -> Iterator[NDArray[np.float32]]:
        """Keep blocks `(C, n)` of any type, and give them as pieces `(2, n)`; these are copies.

        Raises:
            UserError: NaN or infinite samples.
            ValueError: a block that is not `(C, n)`, or whose C differs from the first one's or is above 64.
        """
        channels = None
        for block in blocks:
            samples = to_array(block)
            if samples.ndim != 2 or not samples.shape[0] or channels not in (None, samples.shape[0]):
                raise ValueError(f"stream takes blocks (C, n), all with the same C, not {samples.shape}")
            if samples.dtype.kind not in "fiub":
                raise ValueError(f"audio has samples that are real numbers, not {samples.dtype}")
            channels = samples.shape[0]
            if channels > _MAX_CHANNELS:
                raise ValueError(f"audio is (C, T) with {_MAX_CHANNELS} channels at most: transpose {samples.shape}")
            self.mono, self.tensors = channels == 1, is_tensor(block)
            for start in range(0, samples.shape[1], _PIECE):
                with np.errstate(over="ignore"):  # float64 beyond float32 is infinite
                    piece = np.array(samples[:, start : start + _PIECE], np.float32, order="C")
                if not np.isfinite(piece).all():
                    raise AudioError("the audio contains NaN or infinite samples: clean it first")
                self._pieces.append(to_stereo(piece))
                self.length += piece.shape[1]
                yield self._pieces[-1]

    def take(self, length: int) -> NDArray[np.float32]:
        """Remove and return the next `length` samples `(2, length)`, or as many as there are."""
        taken = []
        while length > 0 and self._pieces:
            piece = self._pieces[0][:, :length]
            taken.append(piece)
            length -= piece.shape[1]
            self.length -= piece.shape[1]
            rest = self._pieces.pop(0)[:, piece.shape[1] :]
            if rest.shape[1]:
                self._pieces.insert(0, rest)
        return np.concatenate(taken, axis=1) if taken else np.empty((2, 0), np.float32)

    def complete(self, stems: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make stems `(S, 2, n)` add up to the next n samples, or as many as there are, in their channels.

        Raises:
            ModelError: NaN or infinite samples.
        """
        samples = self.take(stems.shape[-1])
        stems = stems[..., : samples.shape[-1]]
        # What the stems lack of the mixture, for any reason (the model, a constant offset, frequencies above
        # the model's), is given to all in equal parts: the least change that makes them add up.
        with np.errstate(over="ignore", invalid="ignore"):  # they raise an error below
            missing = stems.sum(axis=0)
            np.subtract(samples, missing, out=missing)
            missing /= len(stems)
            stems += missing
        if not np.isfinite(missing).all():
            raise ModelError("the model puts out NaN or infinite samples: its checkpoint is damaged, use another")
        return stems.mean(axis=1, keepdims=True) if self.mono else stems
