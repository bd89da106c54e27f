"""Sampled instruments: SoundFonts played by FluidSynth.

Debian packages: `fluidsynth`, `musescore-general-soundfont`, `fluid-soundfont-gm`, `timgm6mb-soundfont`,
`avldrums.lv2-soundfont`. Any of the fonts will do; with more of them songs differ more.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.errors import UserError
from song_maker.effects import RATE, Signal
from song_maker.notes import Note

FOLDERS = tuple(
    Path(folder)
    for folder in (
        "/usr/share/sounds/sf2",
        "/usr/share/sounds/sf3",
        "/usr/local/share/sounds/sf2",
        "/opt/homebrew/share/sounds/sf2",
    )
)
"""Where systems keep SoundFonts."""

_MELODIC = ("MuseScore_General_Full.sf3", "FluidR3_GM.sf2", "TimGM6mb.sf2")
"""General MIDI fonts, by file name."""

_DRUMS = ("Black_Pearl_4_LV2.sf2", "Red_Zeppelin_4_LV2.sf2")
"""Fonts that hold one drum kit, in bank 0."""

_INSTALL = (
    "install them, on Debian: apt install fluidsynth musescore-general-soundfont fluid-soundfont-gm "
    "timgm6mb-soundfont avldrums.lv2-soundfont"
)

DRUM_BANK = 128
_KITS, _ELECTRONIC_KITS = (0, 8, 16, 32), (24, 25)
"""General MIDI programs of the drum bank."""
_GAIN = 0.5
_BEND_RANGE = 12
_CHANNELS = 48
_SETTINGS = {
    "synth.dynamic-sample-loading": 1,
    "synth.polyphony": 128,
    "synth.reverb.active": 0,
    "synth.chorus.active": 0,
}
_SLIDE = 0.07
"""Seconds that a slide between two pitches takes."""


@dataclass(frozen=True)
class Preset:
    """An instrument of a SoundFont."""

    font: Path
    bank: int
    program: int


class SoundFonts:
    """The SoundFonts of a computer, each loaded when it is first played.

    Raises:
        UserError: FluidSynth or its Python binding is missing, or there are no SoundFonts.
    """

    def __init__(self, folders: Sequence[Path] = FOLDERS) -> None:
        try:
            import fluidsynth
        except ImportError as error:
            raise UserError(
                f"making songs needs FluidSynth and its Python binding ({error}): "
                f"pip install 'htdemucs-n[make]' and {_INSTALL}"
            ) from None
        self._binding: Any = fluidsynth
        files = {path.name: path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())}
        self.melodic = [files[name] for name in _MELODIC if name in files]
        self._drum_fonts = [files[name] for name in _DRUMS if name in files]
        if not self.melodic:
            raise UserError(f"no SoundFonts ({', '.join(_MELODIC)}) in {', '.join(map(str, folders))}: {_INSTALL}")
        self._holders: dict[Path, tuple[Any, int]] = {}
        self._channels: dict[Path, dict[Preset, int]] = {}
        pointer, number = ctypes.c_void_p, ctypes.c_int
        arguments = (pointer, number, pointer, number, number, pointer, number, number)
        # The binding has only 16-bit output, whose dither differs from one part to the next.
        self._write_float = fluidsynth.cfunc(
            "fluid_synth_write_float", number, *((f"a{index}", kind, 1) for index, kind in enumerate(arguments))
        )

    def preset(self, program: int, rng: np.random.Generator, bank: int = 0) -> Preset:
        """General MIDI `program` (from 0) of a font chosen by `rng`; the best fonts more often."""
        weights = np.array([0.5, 0.35, 0.15][: len(self.melodic)])
        font = self.melodic[int(rng.choice(len(self.melodic), p=weights / weights.sum()))]
        return Preset(font, bank, program)

    def kits(self, electronic: bool) -> list[Preset]:
        """The drum kits of the fonts: each distinct one once, fonts that are nothing but a kit three times."""
        programs = _ELECTRONIC_KITS if electronic else _KITS
        found = [] if electronic else [Preset(font, 0, 0) for font in self._drum_fonts for _ in range(3)]
        for font in self.melodic:
            synth, number = self._holder(font)
            kits = (Preset(font, DRUM_BANK, program) for program in programs)
            found += [kit for kit in kits if synth.sfpreset_name(number, DRUM_BANK, kit.program)]
        return found

    def play(self, preset: Preset, notes: Sequence[Note], seconds: float, tuning: float = 0.0) -> Signal:
        """Play `notes` (in seconds) dry: `(2, T)`. `tuning` is in semitones; slides bend the whole instrument."""
        # Voices and samples remember what they have played: only a fresh synthesizer always plays the same.
        self._keep(preset)
        synth, number = self._load(preset.font)
        self._select(synth, number, 0, preset)
        for control, setting in ((101, 0), (100, 0), (6, _BEND_RANGE), (91, 0), (93, 0)):
            synth.cc(0, control, setting)
        total = round(seconds * RATE)
        sound = np.zeros((2, total), np.float32)
        now = 0
        for moment, action, key, value in _events(notes, tuning):
            at = min(round(moment * RATE), total)
            self._write(synth, sound, now, at)
            now = at
            if moment * RATE >= total:
                break
            if action == _ON:
                synth.noteon(0, key, int(value))
            elif action == _OFF:
                synth.noteoff(0, key)
            else:
                synth.pitch_bend(0, int(np.clip(round(value / _BEND_RANGE * 8192), -8192, 8191)))
        self._write(synth, sound, now, total)
        synth.delete()
        return sound.astype(np.float64)

    def _write(self, synth: Any, sound: NDArray[np.float32], first: int, last: int) -> None:
        """Let FluidSynth fill `sound` `(2, T)` from sample `first` to `last`."""
        if last > first:
            left, right = (side.ctypes.data_as(ctypes.c_void_p) for side in sound)
            self._write_float(synth.synth, last - first, left, first, 1, right, first, 1)

    def _keep(self, preset: Preset) -> None:
        """Hold `preset` on a channel of a silent synthesizer: so long its samples stay in FluidSynth's cache."""
        holder = self._holder(preset.font)
        channels = self._channels[preset.font]
        channel = channels.pop(preset, -1)
        if channel < 0:
            channel = len(channels) if len(channels) < _CHANNELS else channels.pop(next(iter(channels)))
            self._select(*holder, channel, preset)
        channels[preset] = channel  # the last one used is the last one given up

    def _select(self, synth: Any, number: int, channel: int, preset: Preset) -> None:
        """Put `preset` on a channel; where the font lacks its bank, the same program of bank 0."""
        if synth.program_select(channel, number, preset.bank, preset.program) != 0:
            synth.program_select(channel, number, 0, preset.program)

    def _holder(self, font: Path) -> tuple[Any, int]:
        """The synthesizer that holds the samples of a font, with the font's number in it."""
        if font not in self._holders:
            self._holders[font], self._channels[font] = self._load(font), {}
        return self._holders[font]

    def _load(self, font: Path) -> tuple[Any, int]:
        """A fresh synthesizer with a font loaded, and the font's number in it."""
        synth = self._binding.Synth(_GAIN, RATE, _CHANNELS, **_SETTINGS)
        number = synth.sfload(str(font))
        if number < 0:
            raise UserError(f"FluidSynth cannot load '{font}': install its package again")
        return synth, number


_OFF, _BEND, _ON = 0, 1, 2


def _events(notes: Sequence[Note], tuning: float) -> list[tuple[float, int, int, float]]:
    """Time in seconds, action, key and value of all that happens, in order; ends before beginnings."""
    events: list[tuple[float, int, int, float]] = [(0.0, _BEND, 0, tuning)] if tuning else []
    for note in notes:
        events.append((note.start, _ON, note.pitch, note.velocity))
        events.append((note.end, _OFF, note.pitch, 0))
        if note.slide:
            steps = 10
            events += [
                (note.start + _SLIDE * step / steps, _BEND, 0, tuning + note.slide * (1 - step / steps))
                for step in range(steps + 1)
            ]
    return sorted(events)
