"""The stems of a song as the tracks of one DJ stem file: the mix first, then drums, bass, other and vocals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio.formats import STEM_FILE, STEM_FILE_STEMS
from htdemucs_n.errors import OptionError
from htdemucs_n.separation.stems import StemChoice

FILE_NAME = "stems"
"""What stands in place of the name of a stem where one file holds all."""


def file_names(format_name: str, choice: StemChoice) -> tuple[str, ...]:
    """The names of the files of a song: its stems, or `FILE_NAME` for a stem file.

    Raises:
        OptionError: a stem file of other stems than its four.
    """
    if format_name != STEM_FILE:
        return choice.names
    _check(choice.sources, "the model separates")
    _check(choice.names, "the options choose")
    return (FILE_NAME,)


def default_template(names: Sequence[str]) -> str:
    """The template of `Namer` for the files `names` of a song."""
    return "{model}/{track}.{ext}" if tuple(names) == (FILE_NAME,) else "{model}/{track}/{stem}.{ext}"


def stem_file_tracks(stems: NDArray[np.float32]) -> NDArray[np.float32]:
    """Stems `(4, C, n)` to tracks `(5, C, n)`: their sum, which is the song, and they."""
    return np.concatenate([stems.sum(axis=0, keepdims=True), stems])


def as_one_file(tracks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tracks `(5, C, n)` to the channels of one file, `(1, 10, n)`; mono becomes stereo."""
    count, channels, length = tracks.shape
    return np.repeat(tracks, 2 // channels, axis=1).reshape(1, 2 * count, length)


def _check(names: Sequence[str], who: str) -> None:
    if set(names) != set(STEM_FILE_STEMS):
        raise OptionError(
            f"the format {STEM_FILE} holds {', '.join(STEM_FILE_STEMS)}, but {who} {', '.join(names)}: "
            "choose another format"
        )
