"""Recordings of drums as a model that separates songs leaves them: with errors, and with remains of other instruments.

A network that takes drums apart behind such a model has to know this sound. A recording is mixed with the other stems
of a real song and separated again. What the separated drums have more or less than the recorded ones is divided among
the parts, in each bin of a spectrum in the ratio of their magnitudes, so that the parts add up to the separated drums.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import istft, stft

from htdemucs_n.audio.suffixes import SUFFIXES
from htdemucs_n.errors import UserError
from htdemucs_n.separation import Separator
from htdemucs_n.separation.drum_kit import DRUMS
from song_maker import effects
from song_maker.drum_recording import DrumRecorder
from song_maker.effects import RATE, Signal

_N_FFT = 2048


class SeparatedDrumRecorder:
    """Makes recordings of drums, and separates each from a mixture with the other instruments of a song.

    Args:
        recorder: makes the recordings.
        songs: a folder of songs, each a folder of stems at 44.1 kHz; all but `drums` and `mixture` are the other
            instruments.
        model: separates the stem `drums`; a name or path for `Separator`.

    Raises:
        UserError: there is no such song, or the model cannot be loaded or has no drums.
    """

    def __init__(self, recorder: DrumRecorder, songs: Path, model: str) -> None:
        self._recorder = recorder
        self._songs = [stems for folder in sorted(songs.glob("*/")) if (stems := _other_stems(folder))]
        if not self._songs:
            raise UserError(f"'{songs}' has no folders with the stems of songs: give a folder of such folders")
        self._separator = Separator(model, threads=1)
        if DRUMS not in self._separator.sources:
            raise UserError(
                f"--behind {model}: it separates {', '.join(self._separator.sources)}: choose one for {DRUMS}"
            )

    def make(self, seed: int, number: int, seconds: float) -> dict[str, Signal]:
        """The parts `(2, T)` of recording `number` of `seed`, as `DrumRecorder.make` has them, after separation."""
        parts = self._recorder.make(seed, number, seconds)
        if not parts:
            return {}
        rng = np.random.default_rng((seed, number, 1))
        drums: Signal = np.sum(list(parts.values()), axis=0)
        others = _excerpt(self._songs[int(rng.integers(len(self._songs)))], drums.shape[1], rng)
        others *= effects.rms(drums) / max(effects.rms(others), 1e-4) * effects.decibels(rng.normal(2, 4))
        level = 0.9 / max(1.0, float(np.abs(drums + others).max()))
        stems = self._separator.separate((level * (drums + others)).astype(np.float32), RATE)
        return shared_out({name: level * part for name, part in parts.items()}, stems[DRUMS].astype(float))


def shared_out(parts: dict[str, Signal], whole: Signal) -> dict[str, Signal]:
    """Parts `(2, T)`, changed so that they add up to `whole` `(2, T)`.

    In each bin, the difference is divided in the ratio of the magnitudes of the parts, equally where all are silent.
    """
    spectra = np.stack([stft(part, nperseg=_N_FFT)[2] for part in parts.values()])
    shares = np.abs(spectra) + 1e-9
    shares /= shares.sum(axis=0)
    missing = stft(whole - np.sum(list(parts.values()), axis=0), nperseg=_N_FFT)[2]
    differences = istft(shares * missing, nperseg=_N_FFT)[1][..., : whole.shape[1]]
    return {name: part + difference for (name, part), difference in zip(parts.items(), differences, strict=True)}


def _other_stems(folder: Path) -> list[Path]:
    """The files of all stems of a song but its drums."""
    files = (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    return sorted(file for file in files if file.stem.lower() not in (DRUMS, "mixture"))


def _excerpt(stems: list[Path], length: int, rng: np.random.Generator) -> Signal:
    """The sum `(2, T)` of `length` samples of the stems, from a random place."""
    place, total = rng.random(), np.zeros((2, length))
    start: int | None = None
    for file in stems:
        try:
            if start is None:
                start = int(place * max(0, soundfile.info(file).frames - length))
            samples, rate = soundfile.read(file, length, start, always_2d=True)
        except soundfile.LibsndfileError as error:
            raise UserError(f"'{file}' cannot be read ({error.error_string}): convert it to WAV or FLAC") from None
        if rate != RATE:
            raise UserError(f"'{file}' has a rate of {rate} Hz: convert it to {RATE} Hz")
        total[:, : len(samples)] += samples.T
    return total
