"""A bank of sung syllables, taken apart by the WORLD vocoder.

The bank is a folder of recordings of one voice on one pitch, one syllable about every second, named by what is sung:
`ba_ba_bi_ba_bu_ba_be_b.ogg`. Where one syllable ends and the next begins is found in the sound.
Source: Morise et al., "WORLD: a vocoder-based high-quality speech synthesis system", IEICE Transactions E99-D(7), 2016.
"""

from __future__ import annotations

import logging
import os
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from htdemucs_n.audio import read_audio
from htdemucs_n.errors import UserError
from song_maker.effects import RATE

FRAME = 0.005
"""Seconds between two frames of the vocoder."""

ENVELOPE_SIZE = 80
"""Mel-cepstral numbers that keep the spectral envelope of a frame."""

log = logging.getLogger(__name__)

_VERSION = 1
_VOWELS = frozenset("aiueo")
_PITCHES = (180.0, 380.0)
"""Hz between which the bank is sung."""

Frames = NDArray[np.float32]


def world() -> Any:
    """The vocoder's module. Raises `UserError` where it isn't installed."""
    try:
        with warnings.catch_warnings():  # it still asks setuptools for its own version
            warnings.simplefilter("ignore", UserWarning)
            import pyworld
    except ImportError as error:
        raise UserError(f"singing needs pyworld ({error}): pip install 'htdemucs-n[make]'") from None
    module: ModuleType = pyworld
    return module


@dataclass(frozen=True, eq=False)
class Syllable:
    """A sung syllable as frames of the vocoder, `FRAME` seconds apart."""

    envelope: Frames
    """`(F, ENVELOPE_SIZE)`: mel-cepstrum of the power spectrum."""
    breath: Frames
    """`(F, bands)`: aperiodicity of each band in dB, 0 is noise."""
    voiced: NDArray[np.bool_]
    """`(F,)`."""
    vowel: int
    """Frame where the vowel begins."""
    open: bool
    """Whether it has a vowel; others are hummed."""


class VoiceBank:
    """The syllables of a bank; each recording is analysed when it is first sung, and kept in `cache`.

    Raises:
        UserError: the folder has no recordings of syllables.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self._files = [path for path in sorted(folder.glob("*_*.*")) if len(_sung(path)) >= 5]
        if not self._files:
            raise UserError(
                f"'{folder}' contains no recordings of syllables (such as ba_ba_bi_ba_bu.ogg): pass a voice bank"
            )
        self._cache = cache
        self._loaded: dict[Path, list[Syllable]] = {}

    def __len__(self) -> int:
        return len(self._files)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Up to `count` random recordings with syllables, by index. Raises `UserError` where none has any."""
        drawn: list[int] = []
        for index in rng.permutation(len(self._files)).tolist():
            if len(drawn) == count:
                break
            if self.syllables(index):
                drawn.append(index)
        if not drawn:
            raise UserError(f"no syllable is found in the recordings of '{self._files[0].parent}': pass a voice bank")
        return tuple(drawn)

    def syllables(self, index: int) -> list[Syllable]:
        """What is sung in recording `index`; nothing where it cannot be read."""
        path = self._files[index]
        if path not in self._loaded:
            try:
                self._loaded[path] = _cut(_analysed(path, self._cache), _sung(path))
            except UserError as error:  # a bad recording among hundreds
                log.warning("left out of the voice bank: %s", error)
                self._loaded[path] = []
        return self._loaded[path]


def _sung(path: Path) -> list[str]:
    """The syllables in a file's name: consonants alone, at its end or its beginning, are none."""
    return [token for token in path.stem.split("_") if token[-1:] in _VOWELS or token in ("n", "N", "m")]


def _analysed(path: Path, cache: Path) -> dict[str, NDArray[Any]]:
    """The vocoder's frames of a file, out of the cache or made and put there."""
    stat = path.stat()
    kept = cache / f"{path.stem}-{stat.st_size}-{stat.st_mtime_ns}-{_VERSION}.npz"
    try:
        with np.load(kept, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, zipfile.BadZipFile, EOFError):
        frames = _analyse(path)
    cache.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f".{kept.stem}.{os.getpid()}.npz")
    np.savez(part, allow_pickle=False, **frames)
    part.replace(kept)
    return frames


def _analyse(path: Path) -> dict[str, NDArray[Any]]:
    audio, vocoder = read_audio(path), world()
    sound = audio.samples.mean(axis=0).astype(np.float64)
    if audio.sample_rate != RATE:
        sound = soxr.resample(sound, audio.sample_rate, RATE)
    pitch, time = vocoder.dio(sound, RATE, *_PITCHES, frame_period=1000 * FRAME)
    pitch = vocoder.stonemask(sound, pitch, time, RATE)
    envelope = vocoder.cheaptrick(sound, pitch, time, RATE)
    breath = vocoder.d4c(sound, pitch, time, RATE)
    return {
        "envelope": vocoder.code_spectral_envelope(envelope, RATE, ENVELOPE_SIZE).astype(np.float32),
        "breath": vocoder.code_aperiodicity(breath, RATE).astype(np.float32),
        "voiced": pitch > 0,
        "level": (10 * np.log10(envelope.mean(axis=1) + 1e-16)).astype(np.float32),
    }


def _cut(frames: dict[str, NDArray[Any]], names: list[str]) -> list[Syllable]:
    """Cut a recording of the syllables `names`, of equal length, where it is softest around each boundary."""
    level, voiced = frames["level"], frames["voiced"]
    sounding = np.flatnonzero(level > level.max() - 35)
    first, last = int(sounding[0]), int(sounding[-1])
    count = len(names)
    length = (last - first) / count
    reach = int(0.18 * length)
    smooth = np.convolve(level, np.ones(5) / 5, mode="same")
    cuts = [first]
    for number in range(1, count):
        middle = round(first + number * length)
        window = smooth[middle - reach : middle + reach]
        cuts.append(middle - reach + int(np.argmin(window)))
    cuts.append(last)
    syllables = []
    for name, begin, end in zip(names, cuts[:-1], cuts[1:], strict=True):
        start = max(first, begin - round(0.05 / FRAME))
        stop = end - round(0.06 / FRAME)
        if stop - start < 0.3 / FRAME:
            continue
        loud = np.median(level[start:stop]) - 8
        full = voiced[start:stop] & (level[start:stop] > loud)
        full[: begin - start] = False
        steady = np.convolve(full, np.ones(6), mode="valid") == 6
        vowel = int(np.argmax(steady)) + 2 if steady.any() else begin - start
        if vowel > 0.35 / FRAME:
            continue
        part = slice(start, stop)
        syllables.append(
            Syllable(frames["envelope"][part], frames["breath"][part], voiced[part], vowel, name[-1] in _VOWELS)
        )
    return syllables
