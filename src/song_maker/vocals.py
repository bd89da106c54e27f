"""The stem `vocals`: a lead, perhaps doubled or with a second voice, processed as on a record."""

from __future__ import annotations

import numpy as np

from song_maker import effects
from song_maker.arrangement import Arrangement
from song_maker.chords import chord_at
from song_maker.effects import Signal
from song_maker.notes import Note, humanize, in_seconds, one_voice
from song_maker.singing import draw_singer, sing
from song_maker.voice_bank import VoiceBank


def play_vocals(plan: Arrangement, seconds: float, bank: VoiceBank, rng: np.random.Generator) -> Signal:
    """The stem `vocals` `(2, T)`; silence where the passage has no melody."""
    melody = one_voice(plan.melody)
    if len(melody) < 3:
        return np.zeros((2, round(seconds * effects.RATE)))
    voice = draw_singer(bank, rng)

    def take(notes: list[Note]) -> Signal:
        return sing(humanize(in_seconds(notes, plan.bpm), rng, 0.012, 8.0), voice, bank, seconds, rng)

    lead = _processed(take(melody), rng)
    mixed = np.stack([lead, lead])
    level = effects.rms(lead)
    if rng.random() < 0.3:  # doubled
        for side in (-1, 1):
            other = _processed(take(melody), rng)
            mixed += effects.pan(other * (level / max(effects.rms(other), 1e-9)), 0.8 * side) * rng.uniform(0.2, 0.7)
    if rng.random() < 0.3:
        other = _processed(take(harmony(melody, plan, int(rng.choice([1, -1])))), rng)
        mixed += effects.pan(other * (level / max(effects.rms(other), 1e-9)), rng.uniform(-0.8, 0.8)) * rng.uniform(
            0.3, 0.8
        )
    if rng.random() < 0.3:
        mixed = effects.delay(mixed, float(rng.choice([0.5, 0.75, 1.0])) * 60 / plan.bpm, 0.3, rng.uniform(0.05, 0.3))
    decay = float(np.exp(rng.uniform(np.log(0.3), np.log(3.0))))
    response = effects.room_response(rng, decay, rng.uniform(3000, 9000), rng.uniform(0, 0.06))
    return effects.reverberate(mixed, response, effects.decibels(rng.uniform(-32, -9)))


def harmony(melody: list[Note], plan: Arrangement, direction: int) -> list[Note]:
    """A second voice: each note moved up (1) or down (-1) to the next note of the chord but one third away at least."""
    line = []
    for note in melody:
        classes = chord_at(plan.chords, note.start).pitch_classes
        steps = (direction * step for step in range(3, 12))
        step = next((step for step in steps if (note.pitch + step) % 12 in classes), 12 * direction)
        line.append(note._replace(pitch=note.pitch + step))
    return line


def _processed(sound: Signal, rng: np.random.Generator) -> Signal:
    """Equalizer, compressors and saturation of a vocal channel, on `(T,)`."""
    sound = effects.high_pass(sound, rng.uniform(70, 150), 2)
    sound = effects.peaking(sound, rng.uniform(200, 500), rng.normal(-1, 2.5), 0.8)
    sound = effects.peaking(sound, rng.uniform(1500, 5000), rng.normal(1, 2.5), 0.8)
    sound = effects.shelf(sound, rng.uniform(5000, 9000), rng.normal(2, 3), high=True)
    loud = 20 * np.log10(effects.rms(sound) + 1e-9)
    sound = effects.compress(
        sound, loud + rng.uniform(-4, 6), rng.uniform(2, 5), rng.uniform(0.002, 0.02), rng.uniform(0.06, 0.2)
    )
    if rng.random() < 0.4:
        sound = effects.saturate(sound / max(float(np.abs(sound).max()), 1e-9), rng.uniform(-6, 12))
    return sound * (0.1 / max(effects.rms(sound), 1e-9))
