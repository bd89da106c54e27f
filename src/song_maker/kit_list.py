"""The kits of drum recordings: what is trained on, and what is never trained on and only scored on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from htdemucs_n.errors import UserError
from song_maker.drum_kits import HYDROGEN, ElectronicKit, HydrogenKit, Kit, SoundFontKit
from song_maker.hits import muldjord_kit, sonic_pi_kit
from song_maker.soundfonts import Preset, SoundFonts

SONIC_PI = Path("/usr/share/sonic-pi/samples")
"""Where Debian keeps the one-shots of `sonic-pi-samples`."""

_FREE = {"BJA_Pacific": "CC BY-SA 3.0", "rumpf_kit_z01_h2": "CC BY 3.0", "Audiophob": "CC0 1.0"}
"""Kits of Hydrogen whose licences allow weights trained on them to be used for anything."""

_HELD_OUT = ("ColomboAcousticDrumkit", "ForzeeStereo", "Millo_MultiLayered3", "ElectricEmpireKit")
"""Kits of Hydrogen under the GPL: no recording of theirs is also in a kit that is trained on."""

_GENERAL_MIDI = ("FluidR3_GM.sf2", "MuseScore_General_Full.sf3")
"""SoundFonts under the MIT licence. They share recordings."""

_AVL = ("Black_Pearl_4_LV2.sf2", "Red_Zeppelin_4_LV2.sf2")


@dataclass(frozen=True)
class KitSource:
    """A kit: its name and licence, how often it is drawn, and how it is opened, `tuning` semitones higher."""

    name: str
    licence: str
    weight: float
    open: Callable[[np.random.Generator, float], Kit]
    electronic: bool = False


def training_kits(fonts: SoundFonts, muldjord: Path | None) -> list[KitSource]:
    """The kits to train on that this computer has; `muldjord` is the folder of MuldjordKit."""
    kits = [KitSource("drum machine", "made by this program", 2.0, lambda rng, tuning: ElectronicKit(rng), True)]
    kits += [_hydrogen(name, licence, 2.0) for name, licence in _FREE.items() if _is_there(name)]
    for preset in fonts.kits(electronic=False) + fonts.kits(electronic=True):
        if preset.font.name in _AVL:  # the list has each of them three times
            kits.append(_sound_font(fonts, preset, "CC BY-SA 3.0", 1.0))
        elif preset.font.name in _GENERAL_MIDI:
            kits.append(_sound_font(fonts, preset, "MIT", 0.5))
    if muldjord is not None:
        kits.append(KitSource("MuldjordKit", "CC BY 4.0", 4.0, lambda rng, tuning: muldjord_kit(muldjord, tuning)))
    if SONIC_PI.is_dir():
        kits.append(
            KitSource("Sonic Pi", "CC0 1.0", 2.0, lambda rng, tuning: sonic_pi_kit(SONIC_PI, rng, tuning), True)
        )
    return kits


def held_out_kits() -> list[KitSource]:
    """The kits to score on.

    Raises:
        UserError: Hydrogen's kits are not installed.
    """
    kits = [_hydrogen(name, "GPL 2", 1.0) for name in _HELD_OUT if _is_there(name)]
    if len(kits) < len(_HELD_OUT):
        raise UserError(f"kits to score on are missing in '{HYDROGEN}': apt install hydrogen-drumkits")
    return kits


def _is_there(name: str) -> bool:
    return (HYDROGEN / name / "drumkit.xml").is_file()


def _hydrogen(name: str, licence: str, weight: float) -> KitSource:
    return KitSource(name, licence, weight, lambda rng, tuning: HydrogenKit(HYDROGEN / name, tuning))


def _sound_font(fonts: SoundFonts, preset: Preset, licence: str, weight: float) -> KitSource:
    name = f"{preset.font.stem}, program {preset.program}"
    return KitSource(name, licence, weight, lambda rng, tuning: SoundFontKit(fonts, preset, tuning))
