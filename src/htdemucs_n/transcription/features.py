"""What is measured of a stem: its pitch, its level, and how suddenly its spectrum grows.

Sources: Mauch and Dixon, "pYIN: a fundamental frequency estimator using probabilistic threshold distributions", ICASSP
2014; Boeck and Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013; both as in librosa.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import librosa
import numpy as np
from numpy.typing import NDArray

from htdemucs_n.transcription.pieces import FRAME, RATE, without_margins

FLUX_HOP = 256
"""Samples from one value of the flux to the next."""

_RESOLUTION = 0.2
"""Semitones between two pitches that are told apart; the time of pYIN grows with the square of their number."""

_PITCH_WINDOW = 2048
_FLUX_WINDOW = 1024
_FLOOR = 1e-3
"""Power in a band of the mel spectrum below which a change does not count, about -60 dB of full scale."""

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PitchTrack:
    """The features of a stem of one voice, for every `FRAME` samples; the flux for every `FLUX_HOP`."""

    pitch: Values
    """`(F,)` MIDI numbers with fractions, NaN where there is no pitch."""
    level: Values
    """`(F,)` RMS in dB of full scale."""
    flux: Values
    """`(2 F,)` mean growth of the bands of the spectrum in dB."""


def measure_voice(samples: NDArray[np.float32], lowest: int, highest: int) -> PitchTrack:
    """The features of a piece `(MARGIN + PIECE + MARGIN,)`, without its margins, for pitches of a MIDI range."""
    frequency, *_ = librosa.pyin(
        samples,
        fmin=float(librosa.midi_to_hz(lowest)),
        fmax=float(librosa.midi_to_hz(highest)),
        sr=RATE,
        frame_length=_PITCH_WINDOW,
        hop_length=FRAME,
        resolution=_RESOLUTION,
    )
    rms = librosa.feature.rms(y=samples, frame_length=_FLUX_WINDOW, hop_length=FRAME)[0]
    return PitchTrack(
        without_margins(librosa.hz_to_midi(frequency), FRAME),
        without_margins(20 * np.log10(rms.astype(np.float64) + 1e-9), FRAME),
        measure_flux(samples),
    )


def measure_flux(samples: NDArray[np.float32]) -> Values:
    """How much louder the bands of the spectrum of a piece become, `(2 F,)` in dB, without its margins."""
    mel = librosa.feature.melspectrogram(y=samples, sr=RATE, n_fft=_FLUX_WINDOW, hop_length=FLUX_HOP, n_mels=80)
    bands = librosa.power_to_db(mel, ref=1.0, amin=_FLOOR, top_db=None)
    flux = librosa.onset.onset_strength(S=bands, sr=RATE, hop_length=FLUX_HOP, lag=2, max_size=3, center=False)
    return without_margins(flux.astype(np.float64), FLUX_HOP)


def joined(pieces: Iterable[PitchTrack]) -> PitchTrack:
    """The features of a song, from those of its pieces."""
    pieces = list(pieces)
    return PitchTrack(
        *(np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("pitch", "level", "flux"))
    )
