"""Parts for instruments of General MIDI, played on SoundFonts and processed as on a record."""

from __future__ import annotations

from song_maker import effects
from song_maker.amplifier import amplify
from song_maker.effects import Signal
from song_maker.layers import CLEAN, DISTORTED, MUTED, OVERDRIVEN, Player
from song_maker.notes import Part

JAZZ_GUITAR = 26
_ORGANS, _SYNTHESIZERS = range(16, 21), range(80, 96)


def play_part(player: Player, part: Part) -> Signal:
    """A part on its own instrument: `(2, T)`, RMS about 0.1."""
    rng, program = player.rng, part.program
    sound = player.sampled(program, part.notes)
    if program in (OVERDRIVEN, DISTORTED) or (program in (JAZZ_GUITAR, CLEAN, MUTED) and rng.random() < 0.2):
        gain = rng.uniform(8, 28) if program in (OVERDRIVEN, DISTORTED) else rng.uniform(-4, 8)
        sound = effects.pan(amplify(sound.mean(axis=0), gain, rng), float(rng.uniform(-0.9, 0.9)))
    elif program in _ORGANS:
        turning = effects.chorus(player.toned(sound), rng, 0.001, 0.6)
        sound = player.placed(effects.tremolo(turning, rng.uniform(0.7, 7), rng.uniform(0, 0.4)))
    else:
        sound = player.toned(sound)
        if rng.random() < (0.5 if program in (CLEAN, MUTED, *_SYNTHESIZERS) else 0.15):
            sound = effects.chorus(sound, rng, wet=rng.uniform(0.2, 0.7))
        sound = player.echoed(player.placed(sound), 0.4 if program in _SYNTHESIZERS else 0.15)
    return effects.levelled(sound)
