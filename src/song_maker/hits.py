"""A kit of single hits in files, a few for each piece, from soft to loud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from song_maker.drum_kits import place_hits, read_hit
from song_maker.effects import Signal
from song_maker.notes import Note

_MULDJORD = {
    "KdrumR": (36,),
    "KdrumL": (35,),
    "Snare": (37, 38, 39, 40),
    "Tom1": (50,),
    "Tom2": (47, 48),
    "Tom3": (45,),
    "Tom4": (41, 43),
    "HihatClosed": (42, 44),
    "HihatOpen": (46,),
    "CrashL": (49,),
    "CrashR": (55, 57),
    "China": (52,),
    "RideR": (51,),
    "RideL": (59,),
    "RideRBell": (53,),
}
"""Folders of MuldjordKit and the General MIDI numbers that they play."""

_SONIC_PI = {
    (35, 36): ("bd_*", "drum_bass_*", "drum_heavy_kick", "elec_hollow_kick", "elec_soft_kick"),
    (37, 38, 39, 40): ("sn_*", "drum_snare_*", "elec_snare", "elec_*_snare", "perc_snap*"),
    (41, 43): ("drum_tom_lo_*", "elec_fuzz_tom"),
    (45, 47): ("drum_tom_mid_*",),
    (48, 50): ("drum_tom_hi_*",),
    (42, 44): ("drum_cymbal_closed", "drum_cymbal_pedal", "hat_*"),
    (46,): ("drum_cymbal_open",),
    (49, 52, 55, 57): ("drum_splash_*", "drum_cymbal_hard"),
    (51, 53, 59): ("drum_cymbal_soft", "elec_cymbal", "ride_*"),
}
"""General MIDI numbers and the files of Sonic Pi, of which a kit has one pattern for each."""


class HitsKit:
    """Plays the files of each General MIDI number; a hit's velocity chooses among them, and neighbours take turns.

    Args:
        files: files of each number, from soft to loud. A single file is played louder and softer instead.
        tuning: semitones by which the kit is tuned up.
    """

    def __init__(self, files: Mapping[int, Sequence[Path]], tuning: float = 0.0) -> None:
        self._files = files
        self._ratio = 2 ** (tuning / 12)

    def play(self, hits: Sequence[Note], seconds: float) -> Signal:
        """See `Kit`; pieces that the kit lacks are silent."""
        return place_hits(hits, seconds, {hit: self._sound(hit, turn) for turn, hit in enumerate(hits)})

    def _sound(self, hit: Note, turn: int) -> Signal:
        files = self._files.get(hit.pitch, ())
        if not files:
            return np.zeros((2, 1))
        strength = hit.velocity / 127
        layer = round(strength * (len(files) - 1)) + (turn % 3 - 1 if len(files) > 3 else 0)
        sound = read_hit(files[min(max(layer, 0), len(files) - 1)], self._ratio)
        return sound if len(files) > 3 else sound * (0.2 + 0.8 * strength)


def muldjord_kit(folder: Path, tuning: float = 0.0) -> HitsKit:
    """MuldjordKit (Lars Muldjord, CC BY 4.0) as a folder for each piece, with its hits numbered from soft to loud."""
    files = {name: sorted((folder / name).glob("*.ogg")) for name in _MULDJORD}
    return HitsKit({pitch: files[name] for name, pitches in _MULDJORD.items() for pitch in pitches}, tuning)


def sonic_pi_kit(folder: Path, rng: np.random.Generator, tuning: float = 0.0) -> HitsKit:
    """One-shots of Sonic Pi (mostly CC0), one pattern of files for each piece."""
    files: dict[int, list[Path]] = {}
    for pitches, patterns in _SONIC_PI.items():
        choices = [sorted(folder.glob(f"{pattern}.flac"), key=lambda path: "hard" in path.stem) for pattern in patterns]
        choices = [choice for choice in choices if choice]
        if choices:
            chosen = choices[int(rng.integers(len(choices)))]
            if len({path.stem.removesuffix("_soft").removesuffix("_hard") for path in chosen}) > 1:
                chosen = [chosen[int(rng.integers(len(chosen)))]]  # different sounds, not layers of one
            files |= dict.fromkeys(pitches, chosen)
    return HitsKit(files, tuning)
