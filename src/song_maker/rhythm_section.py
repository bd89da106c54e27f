"""The stems `drums` and `bass`: parts of the arrangement on kits and basses, processed as on a record."""

from __future__ import annotations

import numpy as np

from song_maker import effects, synth
from song_maker.amplifier import amplify
from song_maker.arrangement import Arrangement
from song_maker.bass_lines import bass_line
from song_maker.drum_desk import AUDIBLE, channel
from song_maker.drum_kits import GROUPS, HYDROGEN, ElectronicKit, HydrogenKit, Kit, SoundFontKit
from song_maker.effects import Signal
from song_maker.notes import humanize, in_seconds
from song_maker.soundfonts import DRUM_BANK, SoundFonts

_HYDROGEN_ACOUSTIC = (
    "ForzeeStereo",
    "BJA_Pacific",
    "The Black Pearl 1.0",
    "Millo-Drums_v.1",
    "Millo_MultiLayered2",
    "Millo_MultiLayered3",
    "ColomboAcousticDrumkit",
    "Audiophob",
)
_HYDROGEN_ELECTRONIC = ("ElectricEmpireKit", "HardElectro1", "VariBreaks", "rumpf_kit_z01_h2")


def play_drums(plan: Arrangement, seconds: float, fonts: SoundFonts, rng: np.random.Generator) -> Signal:
    """The stem `drums` `(2, T)`: channels, bus compression, room."""
    hits = humanize(in_seconds(plan.drums, plan.bpm), rng, 0.001, 3.0)
    total = round(seconds * effects.RATE)
    bus, space = np.zeros((2, total)), np.zeros((2, total))
    electronic = rng.random() < plan.style.electronic
    kit = choose_kit(electronic, fonts, rng)
    for group, pieces in GROUPS.items():
        played = [hit for hit in hits if hit.pitch in pieces]
        if not played:
            continue
        # Producers exchange single drums of a kit for samples of another; and some kits lack some drums.
        source = choose_kit(electronic, fonts, rng) if rng.random() < 0.25 else kit
        if group == "percussion":  # only General MIDI's kits have all of it
            source = SoundFontKit(fonts, fonts.preset(0, rng, DRUM_BANK))
        for candidate in (source, SoundFontKit(fonts, fonts.kits(electronic=False)[0])):
            sound = candidate.play(played, seconds)
            if np.abs(sound).max() > AUDIBLE:
                break
        else:
            continue
        sound = channel(group, sound, max(hit.velocity for hit in played), rng)
        bus += sound
        space += sound * (0.15 if group == "kick" else 1.0)
    return _drum_bus(bus, space, electronic, rng)


def choose_kit(electronic: bool, fonts: SoundFonts, rng: np.random.Generator) -> Kit:
    """A random kit: of a SoundFont, of Hydrogen, or, for `electronic`, a drum machine."""
    tuning = float(np.clip(1.5 * rng.standard_normal(), -4, 4))
    if electronic and rng.random() < 0.35:
        return ElectronicKit(rng)
    names = _HYDROGEN_ELECTRONIC if electronic else _HYDROGEN_ACOUSTIC
    folders = [HYDROGEN / name for name in names if (HYDROGEN / name / "drumkit.xml").is_file()]
    if folders and rng.random() < 0.45:
        return HydrogenKit(folders[int(rng.integers(len(folders)))], tuning)
    presets = fonts.kits(electronic)
    return SoundFontKit(fonts, presets[int(rng.integers(len(presets)))], tuning) if presets else ElectronicKit(rng)


def _drum_bus(bus: Signal, space: Signal, electronic: bool, rng: np.random.Generator) -> Signal:
    """Room, compression beside and over the sum, saturation, tone."""
    decay = float(np.exp(rng.uniform(np.log(0.15), np.log(1.6 if not electronic else 0.6))))
    response = effects.room_response(rng, decay, rng.uniform(2000, 9000), rng.uniform(0, 0.02))
    wet = effects.decibels(rng.uniform(-22, -4))
    bus = bus + effects.reverberate(space, response, wet) - space
    if rng.random() < 0.35:  # parallel compression
        peak = 20 * np.log10(np.abs(bus).max() + 1e-9)
        bus = bus + rng.uniform(0.2, 0.8) * 2 * effects.compress(bus, peak - 24, 10, 0.003, 0.1)
    if rng.random() < 0.6:
        peak = 20 * np.log10(np.abs(bus).max() + 1e-9)
        bus = effects.compress(bus, peak - rng.uniform(4, 10), rng.uniform(2, 4), rng.uniform(0.005, 0.03), 0.15)
    if rng.random() < 0.5:
        bus = effects.saturate(bus / max(np.abs(bus).max(), 1e-9), rng.uniform(-10, 4))
    bus = effects.widen(bus, rng.uniform(0.8, 2.2))
    return effects.shelf(bus, 6000, rng.normal(-2, 2.5), high=True)


_BASS_PROGRAMS = {
    "upright": (32,),
    "fingered": (33,),
    "picked": (34,),
    "driven": (34, 33),
    "fretless": (35,),
    "slap": (36, 37),
}


def play_bass(plan: Arrangement, seconds: float, fonts: SoundFonts, rng: np.random.Generator) -> Signal:
    """The stem `bass` `(2, T)`: a line on an electric, acoustic or synthetic bass."""
    pattern, instrument = str(rng.choice(plan.style.bass)), str(rng.choice(plan.style.basses))
    if plan.bass is None:
        notes = bass_line(pattern, plan.chords, plan.beats, plan.kicks, rng)
    else:  # on the bass that it is written for; what is written for no string plays on a bass of the style
        notes = plan.bass.notes
        own = (name for name, programs in _BASS_PROGRAMS.items() if plan.bass.program in programs)
        instrument = next(own, instrument)
    line = in_seconds(notes, plan.bpm)
    if instrument in _BASS_PROGRAMS or rng.random() < 0.25:
        program = int(rng.choice(_BASS_PROGRAMS.get(instrument, (38, 39))))
        played = humanize(line, rng, 0.006)
        sound = fonts.play(fonts.preset(program, rng), played, seconds, 0.03 * rng.standard_normal()).mean(axis=0)
    else:
        sound = synth.play(line, _bass_patch(instrument, rng), seconds, rng).mean(axis=0)
    sound = sound / max(effects.rms(sound), 1e-6) * 0.15
    if instrument == "driven" or (instrument == "picked" and rng.random() < 0.35):
        dirt = amplify(effects.high_pass(sound, 150.0, 1), rng.uniform(0, 20), rng)
        sound = effects.low_pass(sound, rng.uniform(300, 2000), 1) + rng.uniform(0.2, 0.8) * dirt
    sound = effects.compress(sound, 20 * np.log10(effects.rms(sound)) - 3, rng.uniform(3, 10), 0.005, 0.12)
    if rng.random() < 0.5:
        sound = effects.saturate(sound, rng.uniform(0, 14))
    sound = effects.high_pass(sound, rng.uniform(25, 45), 2)
    sound = effects.shelf(sound, 120, rng.normal(3.5, 2.5), high=False)
    sound = effects.shelf(sound, rng.uniform(180, 350), rng.uniform(-14, 0), high=True)
    tone = effects.low_pass(sound, float(np.exp(rng.uniform(np.log(900), np.log(8000)))), int(rng.choice([1, 2])))
    # Strings are touched, and no recording is clean: some treble is left.
    sound = tone + effects.decibels(rng.uniform(-30, -6)) * effects.saturate(effects.high_pass(sound, 800.0), 20)
    stereo = np.stack([sound, sound])
    if rng.random() < 0.5:
        response = effects.room_response(rng, rng.uniform(0.15, 0.6), 3000)
        stereo = effects.reverberate(stereo, response, effects.decibels(rng.uniform(-28, -8)))
    elif rng.random() < 0.2:
        stereo = effects.chorus(stereo, rng, 0.002, rng.uniform(0.05, 0.3))
    return stereo


def _bass_patch(instrument: str, rng: np.random.Generator) -> synth.Patch:
    if instrument == "sub":  # the long bass drum of a drum machine, tuned
        return synth.Patch(
            wave="sine",
            voices=1,
            attack=0.005,
            decay=rng.uniform(0.3, 1.5),
            sustain=rng.uniform(0.2, 0.9),
            release=0.1,
            cutoff=2000.0,
            sweep=0.0,
            resonance=0.0,
        )
    return synth.Patch(
        wave=str(rng.choice(["saw", "saw", "pulse"])),
        voices=int(rng.choice([1, 1, 2, 3])),
        detune=rng.uniform(0.05, 0.25),
        sub=rng.uniform(0, 1.0),
        attack=0.005,
        decay=rng.uniform(0.1, 0.5),
        sustain=rng.uniform(0.3, 0.9),
        release=0.06,
        cutoff=rng.uniform(100, 600),
        sweep=rng.uniform(0.5, 4),
        sweep_decay=rng.uniform(0.05, 0.5),
        resonance=rng.uniform(0, 10),
    )
