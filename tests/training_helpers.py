"""What the tests of training share: a model of a few thousand weights, a config around it, songs of noise."""

from __future__ import annotations

import copy
import functools
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import yaml

from htdemucs_n.training.augment import MIXTURE_EFFECTS, STEM_EFFECTS
from htdemucs_n.training.bank import Song, StemBank
from htdemucs_n.training.config import AugmentConfig, TrainConfig
from htdemucs_n.training.solver import Solver

SOURCES = ("drums", "bass", "other", "vocals")

TINY: dict[str, Any] = {
    "band_zones": [[16, 8], [8, 240]],
    "multi_stft_channels": 8,
    "resunet_base_channels": 8,
    "channels": 4,
    "transformer_dim": 16,
    "linear_attn_layers": 1,
    "linear_attn_heads": 2,
    "linear_attn_dim_head": 8,
    "time_encoder_blocks": 1,
    "time_decoder_blocks": 1,
    "segment": 0.1,
}
"""The model of the tests: every part is there, none is wide."""

NO_AUGMENT: dict[str, Any] = {
    "remix": 0.0,
    "doubling": 0.0,
    **{name: {"probability": 0.0} for name in ("speed", "pitch", *STEM_EFFECTS, *MIXTURE_EFFECTS)},
}
"""The section `augment` with everything switched off."""


def augment_config(**effects: Any) -> AugmentConfig:
    """Nothing but `effects`: by name, a probability or the keys of the section (then it is always applied)."""
    values = {}
    for name, effect in effects.items():
        always: dict[str, Any] = {"probability": 1.0}
        plain = name in ("remix", "doubling")
        values[name] = effect if plain else always | (effect if isinstance(effect, dict) else {"probability": effect})
    return AugmentConfig.from_dict(NO_AUGMENT | values)


@functools.cache
def _file() -> dict[str, Any]:
    text = resources.files("htdemucs_n").joinpath("conf", "n_train.yaml").read_text(encoding="utf-8")
    values = dict(yaml.safe_load(text))
    del values["defaults"]
    return values


def default_values() -> dict[str, Any]:
    """`conf/n_train.yaml` as plain types, without its list of presets."""
    return copy.deepcopy(_file())


def tiny_config(out: Path, **sections: dict[str, Any]) -> TrainConfig:
    """A config of two epochs of three steps, two crops of 8,192 samples a step, changed by `sections`."""
    values = default_values()
    values["htdemucs_n"] |= TINY
    values["solver"] |= {"epochs": 2, "epoch_steps": 3, "warmup_steps": 2, "precision": "fp32"}
    values["solver"]["checkpoint_minutes"] = 60
    values["dset"] |= {"batch_size": 2, "segment": 0.19}
    values["misc"] |= {"device": "cpu", "out": str(out), "preflight": False}
    for name, keys in sections.items():
        assert keys.keys() <= values[name].keys()
        values[name] |= keys
    return TrainConfig.from_dict(values)


def noise_song(seed: int, samples: int = 20_000, name: str = "song") -> Song:
    """A song of four stereo stems of white noise, 16-bit."""
    random = np.random.default_rng(seed)
    stems = random.integers(-8000, 8000, (len(SOURCES), 2, samples), dtype=np.int16)
    return Song(name, tuple(torch.from_numpy(stem) for stem in stems))


def noise_bank(songs: int = 2) -> StemBank:
    return StemBank(tuple(noise_song(seed, name=f"song {seed}") for seed in range(songs)), {})


def write_song(folder: Path, seed: int, samples: int = 20_000) -> Path:
    """The stems of `noise_song(seed)` as wav files in `folder`."""
    folder.mkdir(parents=True)
    for name, stem in zip(SOURCES, noise_song(seed, samples).stems, strict=True):
        assert stem is not None
        soundfile.write(folder / f"{name}.wav", stem.numpy().T, 44100, subtype="PCM_16")
    return folder


def solver(out: Path, valid: bool = True, **sections: dict[str, Any]) -> Solver:
    songs = (noise_song(7, 9000), noise_song(8, 9000)) if valid else ()
    return Solver(tiny_config(out, **sections), noise_bank(), songs)
