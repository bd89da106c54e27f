"""The instruments of the stem `other`: each plays a part of the arrangement and is processed as on a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from song_maker import accompaniment as parts
from song_maker import effects, synth
from song_maker.amplifier import amplify
from song_maker.arrangement import Arrangement
from song_maker.effects import Signal
from song_maker.notes import Note, humanize, in_seconds, one_voice
from song_maker.soundfonts import SoundFonts
from song_maker.synth import Patch

CLEAN, MUTED, OVERDRIVEN, DISTORTED = 27, 28, 29, 30


class Player:
    """Plays layers of one arrangement on the SoundFonts; all draws come from `rng`."""

    def __init__(self, plan: Arrangement, seconds: float, fonts: SoundFonts, rng: np.random.Generator) -> None:
        self.plan, self.seconds, self.fonts, self.rng = plan, seconds, fonts, rng

    def play(self, name: str) -> Signal:
        """The layer `name` of `LAYERS`: `(2, T)`, RMS about 0.1."""
        return effects.levelled(LAYERS[name](self))

    def timed(self, notes: Sequence[Note], seconds: float = 0.008) -> list[Note]:
        """Notes in beats as a person plays them, in seconds."""
        return humanize(in_seconds(notes, self.plan.bpm), self.rng, seconds)

    def sampled(self, program: int, notes: Sequence[Note], bank: int = 0, tuning: float = 0.0) -> Signal:
        """Notes in beats on a General MIDI program: `(2, T)`."""
        preset = self.fonts.preset(program, self.rng, bank)
        return self.fonts.play(preset, self.timed(notes), self.seconds, tuning)

    def one_of(self, *programs: int) -> int:
        """A random one of `programs`."""
        return int(self.rng.choice(programs))

    def toned(self, sound: Signal) -> Signal:
        """A random but mild equalizer, and a little compression."""
        rng = self.rng
        sound = effects.high_pass(sound, rng.uniform(30, 110), 1)
        sound = effects.shelf(sound, rng.uniform(120, 250), rng.normal(2, 3), high=False)
        sound = effects.peaking(
            sound, float(np.exp(rng.uniform(np.log(250), np.log(5000)))), 3 * rng.standard_normal(), 0.8
        )
        sound = effects.shelf(sound, rng.uniform(3000, 8000), 4 * rng.standard_normal(), high=True)
        if rng.random() < 0.5:
            sound = effects.compress(sound, 20 * np.log10(effects.rms(sound) + 1e-6), rng.uniform(2, 5))
        return sound

    def echoed(self, sound: Signal, chance: float) -> Signal:
        """With probability `chance` an echo in time with the song."""
        if self.rng.random() > chance:
            return sound
        beats = float(self.rng.choice([0.5, 0.75, 1.0]))
        return effects.delay(sound, beats * 60 / self.plan.bpm, self.rng.uniform(0.2, 0.5), self.rng.uniform(0.1, 0.4))

    def placed(self, sound: Signal, spread: float = 0.7) -> Signal:
        """Anywhere between left and right, and not always as wide as it was sampled."""
        wide = effects.widen(sound, self.rng.uniform(0.2, 1.2))
        return effects.pan(wide, float(np.clip(self.rng.normal(0, spread / 2), -0.9, 0.9)))


def _distorted(player: Player) -> Signal:
    """Power chords played twice, once for each side, each through its own take of the amplifier."""
    rng = player.rng
    lowest, gain = int(rng.choice([40, 40, 38, 36, 33, 45])), rng.uniform(14, 32)
    ringing, damped = parts.riff(player.plan.chords, player.plan.beats, rng, lowest)
    source = int(rng.choice([CLEAN, CLEAN, OVERDRIVEN, DISTORTED]))
    seed, takes = int(rng.integers(2**31)), []
    for _ in range(2):
        tuning = 0.05 * rng.standard_normal()
        dry = player.sampled(source, ringing, tuning=tuning)
        if damped:
            dry = dry + 0.8 * player.sampled(MUTED, damped, tuning=tuning)
        takes.append(amplify(dry.mean(axis=0), gain, np.random.default_rng(seed)))
    spread = rng.uniform(0.5, 1.0)
    return effects.pan(takes[0], -spread) + effects.pan(takes[1], spread)


def _crunch(player: Player) -> Signal:
    """Strums or hits through an amplifier that just breaks up."""
    rng = player.rng
    plan = player.plan
    notes = (
        parts.strums(plan.chords, plan.beats, rng)
        if rng.random() < 0.6
        else parts.riff(plan.chords, plan.beats, rng, 45)[0]
    )
    dry = player.sampled(player.one_of(CLEAN, CLEAN, 26, OVERDRIVEN), notes).mean(axis=0)
    return effects.pan(amplify(dry, rng.uniform(-2, 14), rng), float(rng.uniform(-0.9, 0.9)))


def _solo_guitar(player: Player) -> Signal:
    """A second melody, or a fast run over the chords, with much gain and an echo."""
    rng, plan = player.rng, player.plan
    notes = [
        note._replace(slide=float(rng.choice([0, 0, 0, -1, -2, 1]))) for note in one_voice(plan.bridge or plan.melody)
    ]
    if len(notes) < 6:
        notes = parts.arpeggio(plan.chords, plan.beats, rng)
    shift = 12 * int(rng.integers(0, 2)) if notes and np.median([note.pitch for note in notes]) < 64 else 0
    notes = [note._replace(pitch=note.pitch + shift) for note in notes]
    dry = player.sampled(player.one_of(CLEAN, OVERDRIVEN, DISTORTED), notes).mean(axis=0)
    sound = effects.pan(amplify(dry, rng.uniform(8, 24), rng), float(rng.uniform(-0.4, 0.4)))
    return player.echoed(sound, 0.7)


def _clean(player: Player) -> Signal:
    rng, plan = player.rng, player.plan
    notes = (
        parts.arpeggio(plan.chords, plan.beats, rng)
        if rng.random() < 0.5
        else parts.strums(plan.chords, plan.beats, rng)
    )
    sound = player.toned(player.sampled(player.one_of(26, CLEAN, CLEAN), notes))
    if rng.random() < 0.5:
        sound = effects.chorus(sound, rng, wet=rng.uniform(0.2, 0.7))
    return player.placed(player.echoed(sound, 0.4), 0.9)


def _funk_guitar(player: Player) -> Signal:
    rng, plan = player.rng, player.plan
    sound = player.sampled(
        player.one_of(CLEAN, MUTED), parts.strums(plan.chords, plan.beats, rng), bank=int(rng.choice([0, 8]))
    )
    return player.placed(effects.high_pass(player.toned(sound), 180.0), 0.9)


def _acoustic(player: Player) -> Signal:
    """Strums or picking on steel or nylon strings; often played twice, for the two sides."""
    rng, plan = player.rng, player.plan
    notes = (
        parts.strums(plan.chords, plan.beats, rng)
        if rng.random() < 0.65
        else parts.arpeggio(plan.chords, plan.beats, rng)
    )
    program = player.one_of(25, 25, 24)
    sound = player.toned(player.sampled(program, notes))
    if rng.random() < 0.4:
        other = player.toned(player.sampled(program, notes, tuning=0.04))
        return effects.pan(sound.mean(axis=0), -0.7) + effects.pan(other.mean(axis=0), 0.7)
    return player.placed(sound)


def _keys(*programs: int) -> Callable[[Player], Signal]:
    def play(player: Player) -> Signal:
        rng, plan = player.rng, player.plan
        make = (parts.hits, parts.hits, parts.arpeggio, parts.pad)[int(rng.integers(4))]
        sound = player.toned(player.sampled(player.one_of(*programs), make(plan.chords, plan.beats, rng)))
        if rng.random() < 0.2:
            sound = effects.chorus(sound, rng)
        return player.placed(player.echoed(sound, 0.15))

    return play


def _piano_score(player: Player) -> Signal:
    """The piano as the POP909 song has it."""
    return player.placed(player.toned(player.sampled(player.one_of(0, 0, 1, 4), player.plan.piano)))


def _organ(player: Player) -> Signal:
    rng, plan = player.rng, player.plan
    make = parts.pad if rng.random() < 0.6 else parts.hits
    sound = player.toned(player.sampled(player.one_of(16, 17, 18), make(plan.chords, plan.beats, rng)))
    sound = effects.tremolo(effects.chorus(sound, rng, 0.001, 0.6), rng.uniform(0.7, 7), rng.uniform(0, 0.4))
    if rng.random() < 0.4:
        sound = effects.saturate(sound * 3, rng.uniform(0, 12))
    return player.placed(sound)


def _sustained(*programs: int) -> Callable[[Player], Signal]:
    def play(player: Player) -> Signal:
        notes = parts.pad(player.plan.chords, player.plan.beats, player.rng)
        return player.placed(player.toned(player.sampled(player.one_of(*programs), notes)), 0.3)

    return play


def _brass(player: Player) -> Signal:
    notes = parts.hits(player.plan.chords, player.plan.beats, player.rng)
    sound = player.sampled(player.one_of(61, 61, 56, 57, 62), notes)
    return player.placed(player.toned(sound))


def _lead(player: Player) -> Signal:
    """The second melody on a wind, string or key instrument."""
    plan = player.plan
    notes = one_voice(plan.bridge or plan.melody)
    program = player.one_of(40, 42, 56, 65, 66, 71, 73, 11, 22, 4)
    return player.echoed(player.placed(player.toned(player.sampled(program, notes)), 0.4), 0.4)


def _bells(player: Player) -> Signal:
    plan = player.plan
    notes = parts.arpeggio(plan.chords, plan.beats, player.rng)
    notes = [note._replace(pitch=note.pitch + 12) for note in notes]
    return player.echoed(player.placed(player.sampled(player.one_of(9, 8, 10, 11, 98, 88), notes)), 0.5)


def _synth_pad(player: Player) -> Signal:
    rng, plan = player.rng, player.plan
    patch = Patch(
        wave=str(rng.choice(["saw", "saw", "pulse"])),
        voices=int(rng.choice([2, 3, 5])),
        detune=rng.uniform(0.1, 0.4),
        attack=rng.uniform(0.05, 0.6),
        decay=1.0,
        sustain=0.9,
        release=rng.uniform(0.2, 0.6),
        cutoff=float(np.exp(rng.uniform(np.log(300), np.log(2500)))),
        sweep=rng.uniform(0, 2),
        sweep_decay=rng.uniform(0.5, 3),
    )
    return effects.chorus(
        synth.play(player.timed(parts.pad(plan.chords, plan.beats, rng)), patch, player.seconds, rng), rng
    )


def _synth_pluck(player: Player) -> Signal:
    rng, plan = player.rng, player.plan
    patch = Patch(
        wave=str(rng.choice(["saw", "pulse"])),
        voices=int(rng.choice([1, 2, 3])),
        detune=rng.uniform(0.05, 0.2),
        attack=0.003,
        decay=rng.uniform(0.1, 0.4),
        sustain=rng.uniform(0, 0.3),
        cutoff=rng.uniform(150, 700),
        sweep=rng.uniform(2, 5),
        sweep_decay=rng.uniform(0.05, 0.25),
        resonance=rng.uniform(0, 9),
    )
    notes = parts.arpeggio(plan.chords, plan.beats, rng)
    return player.echoed(synth.play(in_seconds(notes, plan.bpm), patch, player.seconds, rng), 0.6)


def _synth_lead(player: Player) -> Signal:
    rng, plan = player.rng, player.plan
    notes = one_voice(plan.bridge or plan.melody)
    notes = notes if len(notes) > 5 else parts.arpeggio(plan.chords, plan.beats, rng)
    glide = float(rng.choice([0.0, 0.0, 2.0, -3.0]))
    patch = Patch(
        wave=str(rng.choice(["saw", "saw", "pulse", "sine"])),
        voices=int(rng.choice([1, 3, 7])),
        detune=rng.uniform(0.05, 0.5),
        sub=rng.uniform(0, 0.5),
        cutoff=rng.uniform(800, 4000),
        sweep=rng.uniform(0.5, 3),
        resonance=rng.uniform(0, 6),
    )
    notes = [note._replace(slide=glide if rng.random() < 0.3 else 0.0) for note in notes]
    sound = synth.play(in_seconds(notes, plan.bpm), patch, player.seconds, rng)
    return player.echoed(effects.saturate(sound, rng.uniform(0, 9)), 0.6)


def _synth_stabs(player: Player) -> Signal:
    """Chords of many detuned saws in a rhythm."""
    rng, plan = player.rng, player.plan
    patch = Patch(
        voices=5, detune=rng.uniform(0.15, 0.5), cutoff=rng.uniform(1000, 6000), sweep=rng.uniform(0, 2.5), sub=0.2
    )
    notes = parts.hits(plan.chords, plan.beats, rng)
    return effects.saturate(synth.play(in_seconds(notes, plan.bpm), patch, player.seconds, rng), rng.uniform(0, 6))


LAYERS: dict[str, Callable[[Player], Signal]] = {
    "distorted": _distorted,
    "crunch": _crunch,
    "solo_guitar": _solo_guitar,
    "clean": _clean,
    "funk_guitar": _funk_guitar,
    "acoustic": _acoustic,
    "piano": _keys(0, 0, 1, 2, 3),
    "piano_score": _piano_score,
    "electric_piano": _keys(4, 5),
    "clavinet": _keys(7, 6),
    "organ": _organ,
    "strings": _sustained(48, 49, 48, 50, 51),
    "pad": _sustained(88, 89, 90, 91, 94, 95, 52),
    "brass": _brass,
    "lead": _lead,
    "bells": _bells,
    "synth_pad": _synth_pad,
    "synth_pluck": _synth_pluck,
    "synth_lead": _synth_lead,
    "synth_stabs": _synth_stabs,
}
"""Every instrument of the stem `other`, by the name that styles use."""
