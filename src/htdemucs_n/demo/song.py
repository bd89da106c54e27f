"""The demo song: `make_song` composes, renders and balances four stems."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.demo import instruments
from htdemucs_n.demo.drums import render_drums
from htdemucs_n.demo.effects import SAMPLE_RATE, Signal, fade_edges, reverb
from htdemucs_n.demo.score import Score, compose
from htdemucs_n.demo.voice import render_voice
from htdemucs_n.errors import UserError

_LEVELS = {"drums": 0.0, "bass": -2.0, "other": -4.0, "vocals": 0.0}
"""Loudness of each stem beside the others, dB of RMS: drums and voice in front, as in a pop mix."""

_PEAK = 0.89
"""Peak of the mixture, full scale is 1."""

_ROOMS = {"drums": (0.5, 0.12), "bass": (0.3, 0.03), "other": (1.4, 0.18), "vocals": (1.6, 0.15)}
"""Reverberation of each stem: seconds to -60 dB, and level beside the direct sound."""


def make_song(seed: int = 0, seconds: float = 12.0) -> dict[str, NDArray[np.float32]]:
    """Make a song of `seconds` at 44,100 Hz: drums, bass, other and vocals, each `(2, T)`.

    T = round(44100 * seconds). The same seed gives the same bytes. The stems sum to a mixture that peaks
    at 0.89. Raises `UserError` for a negative seed, or where `seconds` holds no sample.
    """
    length = round(seconds * SAMPLE_RATE) if np.isfinite(seconds) else 0
    if length < 1:
        raise UserError(f"the demo song can't last {seconds} seconds: ask for more than zero")
    if seed < 0:
        raise UserError(f"the demo song has no seed {seed}: take 0 or more")

    stems = _render(compose(seed, seconds), length, seed)
    for room, (stem, track) in enumerate(stems.items()):
        wet = reverb(track, np.random.default_rng([seed, 100 + room]), *_ROOMS[stem])
        loudness = np.sqrt(np.mean(np.square(wet)))
        gain = 10 ** (_LEVELS[stem] / 20) / loudness if loudness > 0 else 0.0
        stems[stem] = fade_edges(wet * gain, 0.0, min(0.3, seconds / 10))
    peak = np.abs(np.sum(list(stems.values()), axis=0)).max()
    scale = _PEAK / peak if peak > 0 else 0.0
    return {stem: (scale * track).astype(np.float32) for stem, track in stems.items()}


def _render(score: Score, length: int, seed: int) -> dict[str, Signal]:
    """Play every part dry: stems `(2, T)`."""
    drum_rng, voice_rng = (np.random.default_rng([seed, part]) for part in (50, 51))
    other = 0.9 * instruments.render_notes(score.keys, length, instruments.electric_piano)
    other += 0.8 * instruments.render_notes(score.guitar, length, instruments.guitar)
    other += 0.35 * instruments.render_notes(score.pad, length, instruments.pad)
    return {
        "drums": np.tanh(render_drums(score.drums, length, drum_rng)),  # tape: tames the highest peaks
        "bass": instruments.render_notes(score.bass, length, instruments.bass),
        "other": other,
        "vocals": render_voice(score.melody, length, voice_rng),
    }
