"""Recordings of drums alone, one track for each part of the kit. The tracks add up to the recording.

What follows the channels of the mixing desk is the same for all parts: a room, one gain of the bus compressor, one gain
of the saturation, one filter. So the parts are exact whatever was done to their sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from song_maker import effects
from song_maker.drum_desk import AUDIBLE, FADER, channel
from song_maker.drum_kits import GROUPS
from song_maker.drum_machine import PATTERNS, programmed
from song_maker.effects import Signal
from song_maker.groove import GrooveSet
from song_maker.kit_list import KitSource
from song_maker.notes import Note, humanize, in_seconds

PARTS = tuple(group for group in GROUPS if group != "percussion")
"""Kick, snare, hi-hat, toms, cymbals."""

_TOMS = (50, 48, 47, 45, 43, 41)
"""From high to low."""


class DrumRecorder:
    """Makes recordings of drums from a Groove MIDI set and kits.

    `as_played` leaves the tempo, the tuning and the parts of one kit as they are, without fills and parts of other
    kits: for scores.
    """

    def __init__(self, grooves: GrooveSet, kits: Sequence[KitSource], as_played: bool = False) -> None:
        self._grooves, self._kits, self._as_played = grooves, kits, as_played
        weights = np.array([kit.weight for kit in kits])
        self._chances = weights / weights.sum()

    def make(self, seed: int, number: int, seconds: float) -> dict[str, Signal]:
        """Recording `number` of `seed`: parts by name, `(2, T)` float64 at 44.1 kHz; a silent part is left out.

        The same numbers give the same recording with the same kits.
        """
        return self.record(seed, number, seconds)[1]

    def record(self, seed: int, number: int, seconds: float) -> tuple[list[Note], dict[str, Signal]]:
        """The hits of a recording, in seconds, and its parts as `make` has them."""
        play, sound, mix = np.random.default_rng((seed, number)).spawn(3)
        kit = self._kits[number % len(self._kits)] if self._as_played else self._choose(sound)
        hits = self._hits(kit, seconds, play)
        parts = self._channels(kit, hits, seconds, sound)
        return hits, _mixed(parts, mix)

    def _choose(self, rng: np.random.Generator) -> KitSource:
        return self._kits[int(rng.choice(len(self._kits), p=self._chances))]

    def _hits(self, kit: KitSource, seconds: float, rng: np.random.Generator) -> list[Note]:
        """What is played, in seconds: human performances, and patterns of drum machines on electronic kits."""
        if kit.electronic and not self._as_played and rng.random() < 0.5:
            bpm = rng.uniform(70, 180)
            beats = seconds * bpm / 60
            return in_seconds(programmed(str(rng.choice(PATTERNS)), beats, rng), bpm)
        groove = self._grooves.choose((), rng)
        bpm = groove.bpm if self._as_played else groove.bpm * rng.uniform(0.85, 1.2)
        beats = seconds * bpm / 60
        hits = groove.play(int(rng.integers(groove.bars)), beats)
        if self._as_played:
            return in_seconds(hits, bpm)
        if rng.random() < 0.5:
            hits = _with_fills(hits, beats, rng)
        draw = rng.random()
        if draw < 0.25:  # a hi-hat that rings, as some kits sound when it is closed
            hits = [hit._replace(pitch=46) if hit.pitch == 42 else hit for hit in hits]
        elif draw < 0.5:
            hits = _on_the_ride(hits, rng)
        return humanize(in_seconds(hits, bpm), rng, 0.002, 5.0)

    def _channels(
        self, kit: KitSource, hits: Sequence[Note], seconds: float, rng: np.random.Generator
    ) -> dict[str, Signal]:
        """Each part `(2, T)` behind its channel of the desk; half of the parts come from another kit."""

        def tuning() -> float:
            return 0.0 if self._as_played else float(np.clip(1.5 * rng.standard_normal(), -4, 4))

        opened = kit.open(rng, tuning())
        parts = {}
        for part in PARTS:
            played = [hit for hit in hits if hit.pitch in GROUPS[part]]
            other = not self._as_played and rng.random() < 0.5
            source = self._choose(rng).open(rng, tuning()) if other else opened
            if not played:
                continue
            sound = source.play(played, seconds)
            if np.abs(sound).max() > AUDIBLE:
                if not self._as_played and rng.random() < 0.5:
                    sound = _voiced(sound, rng)
                wide = not self._as_played and part in ("hihat", "cymbals")  # they differ most between recordings
                fader = 2 * FADER if wide else FADER
                parts[part] = channel(part, sound, max(hit.velocity for hit in played), rng, fader)
        return parts


def _voiced(sound: Signal, rng: np.random.Generator) -> Signal:
    """The part `(2, T)` with other resonances, and a ring that is shorter or longer: as of another kit."""
    for _ in range(3):
        centre = float(np.exp(rng.uniform(np.log(150), np.log(14_000))))
        sound = effects.peaking(sound, centre, rng.normal(0, 5), rng.uniform(0.4, 2))
    peak = 20 * np.log10(np.abs(sound).max())
    threshold, slow = peak - rng.uniform(15, 35), rng.uniform(0.02, 0.1)
    if rng.random() < 0.5:
        return effects.compress(sound, threshold, rng.uniform(1, 2.5), 0.003, slow)
    # A ratio below 1 makes the hits louder than their ring: the gain rises at once, and falls slowly.
    return effects.compress(sound, threshold, rng.uniform(0.5, 1), slow, 0.003)


def _on_the_ride(hits: Sequence[Note], rng: np.random.Generator) -> list[Note]:
    """The hits with the pattern of the hi-hat on the ride cymbal; one hit in eight is on its bell."""
    return [hit._replace(pitch=53 if rng.random() < 0.125 else 51) if hit.pitch in (42, 46) else hit for hit in hits]


def _with_fills(hits: Sequence[Note], beats: float, rng: np.random.Generator) -> list[Note]:
    """Hits in beats with fills on the toms at the ends of some bars, and cymbals after them."""
    played = list(hits)
    for bar in range(int(beats // 4)):
        if rng.random() < 0.6:
            continue
        end = 4.0 * bar + 4
        first = end - float(rng.choice([1, 1, 2, 4]))
        played = [hit for hit in played if not (first <= hit.start < end and hit.pitch not in GROUPS["kick"])]
        steps = np.arange(first, end, float(rng.choice([0.25, 0.25, 1 / 3, 0.5])))
        order = np.sort(rng.integers(len(_TOMS), size=len(steps)))
        for step, place in zip(steps.tolist(), order.tolist(), strict=True):
            if rng.random() < 0.85:
                pitch = 38 if rng.random() < 0.2 else _TOMS[place]
                played.append(Note(step, 0.1, pitch, int(rng.integers(70, 127))))
        if rng.random() < 0.7:
            played.append(Note(end, 0.1, int(rng.choice([49, 49, 57, 55, 52])), int(rng.integers(90, 127))))
    return sorted(hit for hit in played if hit.start < beats)


def _mixed(parts: dict[str, Signal], rng: np.random.Generator) -> dict[str, Signal]:
    """Room, compression, saturation and tone of the sum, as gains and filters of the parts; peaks below full scale."""
    if not parts:
        return {}
    if rng.random() < 0.85:
        response = effects.room_response(
            rng, float(np.exp(rng.uniform(np.log(0.15), np.log(1.6)))), rng.uniform(2000, 9000), rng.uniform(0, 0.02)
        )
        wet = effects.decibels(rng.uniform(-26, -5))
        parts = {
            name: effects.reverberate(part, response, wet * (0.15 if name == "kick" else 1.0))
            for name, part in parts.items()
        }
    if rng.random() < 0.6:
        bus = _sum(parts)
        peak = 20 * np.log10(np.abs(bus).max() + 1e-9)
        gain = effects.compressor_gain(
            bus, peak - rng.uniform(4, 14), rng.uniform(2, 5), rng.uniform(0.003, 0.03), rng.uniform(0.06, 0.3)
        )
        parts = {name: part * gain for name, part in parts.items()}
    if rng.random() < 0.35:
        bus = _sum(parts)
        bus = bus / np.abs(bus).max()
        gain = np.where(np.abs(bus) > 1e-6, effects.saturate(bus, rng.uniform(-10, 6)) / np.where(bus == 0, 1, bus), 1)
        parts = {name: part * gain for name, part in parts.items()}
    width, tilt = rng.uniform(0.6, 1.8), rng.normal(-1, 2.5)
    cutoff = float(rng.uniform(14_000, 17_000)) if rng.random() < 0.3 else 20_000.0
    parts = {
        name: effects.low_pass(effects.shelf(effects.widen(part, width), 6000, tilt, high=True), cutoff, 10)
        for name, part in parts.items()
    }
    peak = max(float(np.abs(signal).max()) for signal in (_sum(parts), *parts.values()))
    level = float(rng.uniform(0.3, 0.95)) / peak
    return {name: part * level for name, part in parts.items()}


def _sum(parts: dict[str, Signal]) -> Signal:
    total: Signal = np.sum(list(parts.values()), axis=0)
    return total
