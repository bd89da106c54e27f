"""Drum kits: of SoundFonts, of Hydrogen, and electronic ones made from sines and noise.

A kit turns the hits of one group of pieces into sound. Hydrogen's kits come with Debian's `hydrogen-drumkits`.
"""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import soxr

from htdemucs_n.errors import UserError
from song_maker.effects import RATE, Signal, high_pass, low_pass, resample
from song_maker.hydrogen_names import players
from song_maker.notes import Note
from song_maker.soundfonts import Preset, SoundFonts

GROUPS = {
    "kick": (35, 36),
    "snare": (37, 38, 39, 40),
    "hihat": (42, 44, 46),
    "toms": (41, 43, 45, 47, 48, 50),
    "cymbals": (49, 51, 52, 53, 55, 57, 59),
    "percussion": (54, 56, 58, *range(60, 71), 73, 74, 75, 76, 77, 78, 79, 80, 81, 82),
}
"""General MIDI numbers of the pieces that share a channel of the mixing desk."""


HYDROGEN = Path("/usr/share/hydrogen/data/drumkits")
"""Where Debian keeps the kits of `hydrogen-drumkits`."""


class Kit(Protocol):
    """Anything that can play drums."""

    def play(self, hits: Sequence[Note], seconds: float) -> Signal:
        """The sound `(2, T)` of `hits` (in seconds), all of one group."""
        ...


@dataclass(frozen=True)
class SoundFontKit:
    """A kit of a SoundFont, `tuning` semitones higher."""

    fonts: SoundFonts
    preset: Preset
    tuning: float = 0.0

    def play(self, hits: Sequence[Note], seconds: float) -> Signal:
        """See `Kit`."""
        longer = [hit._replace(length=2.0) for hit in hits]  # drums ring; a hit damps what exclusive classes damp
        return self.fonts.play(self.preset, longer, seconds, self.tuning)


def place_hits(hits: Sequence[Note], seconds: float, sound_of: dict[Note, Signal]) -> Signal:
    """Put the sound of each hit on a track; a hat damps the hat before it."""
    total = round(seconds * RATE)
    track = np.zeros((2, total))
    for index, hit in enumerate(hits):
        first = round(hit.start * RATE)
        sound = sound_of[hit]
        if hit.pitch == 46 and index + 1 < len(hits):
            ring = max(64, round((hits[index + 1].start - hit.start) * RATE) + 400)
            sound = sound[:, :ring] * np.clip((ring - np.arange(min(ring, sound.shape[1]))) / 800, 0, 1)
        length = min(sound.shape[1], total - first)
        if length > 0:
            track[:, first : first + length] += sound[:, :length]
    return track


@functools.lru_cache(maxsize=512)
def read_hit(path: Path, ratio: float = 1.0) -> Signal:
    """A hit `(2, T)` at `RATE`, played `ratio` times as fast; it fades out where it is longer than five seconds.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        frames, rate = soundfile.read(path, always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise UserError(f"cannot read '{path}' ({error}): get the kit again") from None
    frames = frames if rate == RATE else soxr.resample(frames, rate, RATE)
    if len(frames) > _LONGEST:
        frames = frames[:_LONGEST]
        frames[-_FADE:] *= np.linspace(1, 0, _FADE)[:, None]
    stereo = np.stack([frames[:, 0], frames[:, -1]])
    return resample(stereo, ratio) if abs(ratio - 1) > 0.01 else stereo


_LONGEST, _FADE = 5 * RATE, RATE // 4
"""Samples of a hit that are kept, and those at their end over which it fades out."""


class HydrogenKit:
    """A folder with a `drumkit.xml` and samples in layers, from soft to hard."""

    def __init__(self, folder: Path, tuning: float = 0.0) -> None:
        self._ratio = 2 ** (tuning / 12)
        root = ElementTree.parse(folder / "drumkit.xml").getroot()
        for element in root.iter():
            element.tag = element.tag.rsplit("}", 1)[-1]
        self._layers: dict[str, list[tuple[float, Path]]] = {}
        for instrument in root.iter("instrument"):
            name = instrument.findtext("name") or ""
            # The oldest kits have one file an instrument, and no layers.
            layers = [
                (float(layer.findtext("max") or 1), folder / Path(layer.findtext("filename") or "-").name)
                for layer in [*instrument.iter("layer"), instrument]
            ]
            layers = [layer for layer in layers if layer[1].is_file()]
            if layers:
                self._layers.setdefault(name, sorted(layers))
        self.players = players({name: len(layers) for name, layers in self._layers.items()})
        """The name of the instrument that plays each General MIDI number; pieces that the kit lacks are left out."""

    def play(self, hits: Sequence[Note], seconds: float) -> Signal:
        """See `Kit`; pieces that the kit lacks are silent."""
        return place_hits(hits, seconds, {hit: self._sound(hit) for hit in hits})

    def _sound(self, hit: Note) -> Signal:
        if hit.pitch not in self.players:
            return np.zeros((2, 1))
        layers, strength = self._layers[self.players[hit.pitch]], hit.velocity / 127
        path = next((path for top, path in layers if strength <= top + 1e-3), layers[-1][1])
        return read_hit(path, self._ratio) * (0.3 + 0.7 * strength)


class ElectronicKit:
    """A drum machine: its sounds are drawn once, by `rng`, and keep for the song."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._long_kick = rng.random() < 0.4
        self._sounds: dict[int, Signal] = {}

    def play(self, hits: Sequence[Note], seconds: float) -> Signal:
        """See `Kit`."""
        for hit in hits:
            if hit.pitch not in self._sounds:
                self._sounds[hit.pitch] = self._make(hit.pitch)
        return place_hits(hits, seconds, {hit: self._sounds[hit.pitch] * (hit.velocity / 127) for hit in hits})

    def _make(self, pitch: int) -> Signal:
        rng = self._rng
        if pitch in GROUPS["kick"]:
            mono = self._kick(
                rng.uniform(40, 60), rng.uniform(0.5, 1.2) if self._long_kick else rng.uniform(0.12, 0.35)
            )
        elif pitch in GROUPS["toms"]:
            mono = self._kick(80 * 2 ** ((pitch - 41) / 10), rng.uniform(0.15, 0.4))
        elif pitch == 39:
            return self._clap()
        elif pitch in GROUPS["snare"]:
            mono = self._snare()
        else:
            long = pitch in GROUPS["cymbals"] or pitch == 46
            mono = self._metal(
                rng.uniform(0.5, 2.0) if pitch == 49 else rng.uniform(0.2, 0.6) if long else rng.uniform(0.03, 0.1)
            )
        return np.stack([mono, mono])

    def _kick(self, base: float, seconds: float) -> Signal:
        """A sine whose pitch falls fast, with a click, driven into a soft clipper."""
        time = np.arange(round(seconds * 1.5 * RATE)) / RATE
        frequency = base * (1 + self._rng.uniform(2, 8) * np.exp(-time / self._rng.uniform(0.005, 0.025)))
        body = np.sin(2 * np.pi * np.cumsum(frequency) / RATE) * np.exp(-time * 4 / seconds)
        click = self._rng.standard_normal(len(time)) * np.exp(-time / 0.002) * self._rng.uniform(0, 0.5)
        drive = self._rng.uniform(1, 4)
        return np.tanh(drive * (body + click)) / np.tanh(drive)

    def _snare(self) -> Signal:
        """Two sines of a drum head under noise of the wires."""
        time = np.arange(round(0.6 * RATE)) / RATE
        base, rng = self._rng.uniform(150, 230), self._rng
        frequency = base * (1 + 0.5 * np.exp(-time / 0.01))
        head = np.sin(2 * np.pi * np.cumsum(frequency) / RATE) + 0.6 * np.sin(
            2 * np.pi * np.cumsum(1.7 * frequency) / RATE
        )
        wires = high_pass(low_pass(rng.standard_normal(len(time)), rng.uniform(6000, 14000)), rng.uniform(500, 2000))
        sound = head * np.exp(-time / rng.uniform(0.03, 0.1)) + rng.uniform(0.8, 2) * wires * np.exp(
            -time / rng.uniform(0.04, 0.15)
        )
        return np.tanh(1.5 * sound)

    def _clap(self) -> Signal:
        """Bursts of noise around 1 kHz, different on the two sides."""
        time = np.arange(round(0.5 * RATE)) / RATE
        noise = high_pass(low_pass(self._rng.standard_normal((2, len(time))), self._rng.uniform(3000, 9000)), 700)
        envelope = sum(np.where(time >= start, np.exp(-(time - start) / 0.006), 0.0) for start in (0.0, 0.011, 0.022))
        envelope = envelope + np.where(time >= 0.03, np.exp(-(time - 0.03) / self._rng.uniform(0.04, 0.12)), 0.0)
        return noise * envelope

    def _metal(self, seconds: float) -> Signal:
        """Six square waves that fit no harmonic series, and noise, above 5 kHz or so."""
        time = np.arange(round(seconds * 3 * RATE)) / RATE
        base = self._rng.uniform(300, 500)
        waves = [np.sign(np.sin(2 * np.pi * base * ratio * time)) for ratio in (1.0, 1.34, 1.79, 2.01, 2.51, 2.67)]
        sound = np.sum(waves, axis=0) / 6 + self._rng.uniform(0.2, 1.5) * self._rng.standard_normal(len(time)) / 3
        return high_pass(sound, self._rng.uniform(4000, 8000), 3) * np.exp(-time / (0.6 * seconds))
