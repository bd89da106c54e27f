"""One song: an arrangement, its stems, and their levels in the mix."""

from __future__ import annotations

import numpy as np

from song_maker import effects
from song_maker.arrangement import Arrangement, arrange
from song_maker.backing import with_backing
from song_maker.effects import Signal
from song_maker.general_midi import play_part
from song_maker.groove import GrooveSet
from song_maker.layers import Player
from song_maker.mma import Mma
from song_maker.notes import Part
from song_maker.pop909 import Pop909
from song_maker.rhythm_section import play_bass, play_drums
from song_maker.soundfonts import SoundFonts
from song_maker.vocals import play_vocals
from song_maker.voice_bank import VoiceBank

LEVELS = {"drums": (-24.8, 2.8), "bass": (-23.8, 3.3), "other": (-22.8, 2.4), "vocals": (-22.3, 2.2)}
"""RMS of a stem in dB of full scale, mean and standard deviation: as in the songs of MUSDB18's training part."""

_SONG_SPREAD = 1.5
"""Standard deviation of the dB by which all stems of a song are louder or softer together."""

_LOSSY_SHARE = 0.6
"""Share of the songs that end near 16 kHz, as coded music does."""

_BACKING_SHARE = 0.25
"""Share of the songs that MMA accompanies, where it is installed."""

_CEILING = 0.89
"""Highest peak of a stem, full scale 1.0."""


class SongMaker:
    """Makes songs out of a POP909 set, a Groove MIDI set, SoundFonts and, to sing, a voice bank; some with MMA."""

    def __init__(
        self,
        pop909: Pop909,
        grooves: GrooveSet,
        fonts: SoundFonts,
        voices: VoiceBank | None = None,
        mma: Mma | None = None,
    ) -> None:
        self._pop909, self._grooves, self._fonts, self._voices = pop909, grooves, fonts, voices
        self.mma = mma

    def make(self, seed: int, number: int, seconds: float) -> dict[str, Signal]:
        """Song `number` of `seed`: stems by name, `(2, T)` float64 at 44.1 kHz; one that would be silent is left out.

        The same numbers give the same song; without a voice bank it is the same but for `vocals`, and without MMA
        those songs are others that it would accompany.
        """
        score, drums, bass, other, vocals, mix, band = np.random.default_rng((seed, number)).spawn(7)
        plan = arrange(self._pop909, self._grooves, seconds, score)
        if self.mma is not None and band.random() < _BACKING_SHARE:
            plan = with_backing(plan, self.mma, band)
        stems = {
            "drums": play_drums(plan, seconds, self._fonts, drums),
            "bass": play_bass(plan, seconds, self._fonts, bass),
            "other": self._play_other(plan, seconds, other),
        }
        if self._voices is not None:
            stems["vocals"] = play_vocals(plan, seconds, self._voices, vocals)
        return mixed(stems, mix)

    def _play_other(self, plan: Arrangement, seconds: float, rng: np.random.Generator) -> Signal:
        """The stem `other` `(2, T)`: up to four layers, each with its fader and its share of a common room.

        A plan with parts of its own has these, and in half of the songs one of the style's layers.
        """
        names = [name for name, chance in plan.style.layers if rng.random() < chance] or [plan.style.layers[0][0]]
        player = Player(plan, seconds, self._fonts, rng)
        decay = float(np.exp(rng.uniform(np.log(0.3), np.log(3.0))))
        response = effects.room_response(rng, decay, rng.uniform(2000, 8000), rng.uniform(0, 0.04))
        total: Signal = np.zeros((2, round(seconds * effects.RATE)))
        chosen: list[str | Part] = rng.permutation(names)[:4].tolist()
        if plan.parts:
            chosen = [*plan.parts, *chosen[: int(rng.integers(2))]][-4:]
        for layer in chosen:
            sound = play_part(player, layer) if isinstance(layer, Part) else player.play(layer)
            sound = sound * effects.decibels(4.0 * rng.standard_normal())
            wet = effects.decibels(rng.uniform(-30, -12 if layer in ("distorted", "crunch") else -6))
            total += effects.reverberate(sound, response, wet)
        if rng.random() < 0.6:
            loud = 20 * np.log10(effects.rms(total) + 1e-9)
            total = effects.compress(total, loud + 2, rng.uniform(1.5, 4), 0.02, 0.2)
        if rng.random() < 0.4:
            total = effects.saturate(total, rng.uniform(-6, 8))
        return effects.widen(total, rng.uniform(0.8, 2.0))


def mixed(stems: dict[str, Signal], rng: np.random.Generator) -> dict[str, Signal]:
    """Stems `(2, T)` by name, each at a level as in real songs, with peaks below the ceiling; without silent ones."""
    together = _SONG_SPREAD * _bounded_normal(rng)
    cutoff = float(rng.uniform(15_000, 17_000)) if rng.random() < _LOSSY_SHARE else None
    levels = {name: mean + spread * _bounded_normal(rng) + together for name, (mean, spread) in LEVELS.items()}
    result = {}
    for name, stem in stems.items():
        full = stem if cutoff is None else effects.low_pass(stem, cutoff, 10)
        level = effects.rms(full)
        if level > 1e-5:
            result[name] = effects.limit(full * (effects.decibels(levels[name]) / level), _CEILING)
    return result


def _bounded_normal(rng: np.random.Generator) -> float:
    return float(np.clip(rng.standard_normal(), -2, 2))
