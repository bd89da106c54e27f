"""The configuration: the file, overrides, and messages for wrong keys and values."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from htdemucs_n.cli.compose import compose_config, compose_values
from htdemucs_n.errors import ConfigError, UserError
from htdemucs_n.models.architectures import build_network
from htdemucs_n.models.band_transformer import BandTransformerConfig
from htdemucs_n.models.presets import load_preset, preset_names
from htdemucs_n.models.storage import save_model
from htdemucs_n.training.augment.gain import Gain
from htdemucs_n.training.config import SolverConfig, TrainConfig
from training_helpers import NO_AUGMENT, default_values, tiny_config

DOCUMENT = {
    "n_ffts": (512, 1024, 2048, 4096),
    "stft_fusion_method": "attention",
    "multi_stft_channels": 64,
    "resunet_base_channels": 64,
    "resunet_depth": 4,
    "resunet_use_se": True,
    "resunet_use_attention": True,
    "resunet_se_reduction": 16,
    "linear_attn_layers": 5,
    "linear_attn_heads": 8,
    "linear_attn_dim_head": 64,
    "linear_attn_ff_mult": 4,
    "fusion_method": "intelligent",
    "freq_projection_layers": 2,
    "adaptive_fusion": True,
    "audio_channels": 2,
    "channels": 48,
    "depth": 4,
    "growth": 2,
    "lstm_layers": 0,
    "use_train_segment": True,
    "segment": 7.8,
    "overlap": 0.25,
    "sources": ("drums", "bass", "other", "vocals"),
}
"""The model's keys and values in the design document."""


def composed(*overrides: str) -> TrainConfig:
    return TrainConfig.from_dict(compose_values("n_train", list(overrides)))


def test_the_default_is_the_documents() -> None:
    config = composed()
    assert {key: getattr(config.network, key) for key in DOCUMENT} == DOCUMENT
    solver, dset = config.solver, config.dset
    assert (solver.lr, solver.beta2, solver.weight_decay, solver.epochs) == (3e-4, 0.999, 0.01, 180)
    assert (dset.batch_size, dset.num_workers, dset.segment) == (4, 8, 7.8)
    assert config.continue_from is None


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_the_same_model_by_name_and_by_override(name: str) -> None:
    assert composed(f"preset={name}").network == load_preset(name)


@pytest.mark.parametrize(
    ("preset", "solver", "dset"),
    [
        ("high_quality", {"lr": 5e-4}, {"batch_size": 8}),
        ("low_memory", {"lr": 2e-4}, {"batch_size": 2}),
        ("fast", {"lr": 3e-4}, {"batch_size": 4, "segment": 5.0}),
    ],
)
def test_presets_tune_the_training_too(preset: str, solver: dict[str, Any], dset: dict[str, Any]) -> None:
    config = composed(f"preset={preset}")
    assert {key: getattr(config.solver, key) for key in solver} == solver
    assert {key: getattr(config.dset, key) for key in dset} == dset


def test_overrides_win_over_presets() -> None:
    config = composed(
        "preset=high_quality", "solver.epochs=100", "solver.lr=1e-4", "dset.batch_size=2", "htdemucs_n.channels=40"
    )
    assert (config.solver.epochs, config.solver.lr, config.dset.batch_size) == (100, 1e-4, 2)
    assert (config.network.channels, config.network.resunet_base_channels) == (40, 96)
    assert config.solver.steps == 100 * config.solver.epoch_steps


def test_paths_with_spaces_and_other_letters() -> None:
    config = composed("dset.train=['my songs/ä, b',\"歌\"]", "dset.extra.vocals=[a,b]")
    assert [*config.dset.train] == ["my songs/ä, b", "歌"]
    assert [*config.dset.extra["vocals"]] == ["a", "b"]


@pytest.mark.parametrize("path", ["ö", "R&B", "Guns N' Roses", "50% off", "a (b)", "a=b", "歌 1"])
def test_paths_that_hydra_cannot_read_without_quotes(path: str) -> None:
    """As a shell passes them: in a list, among others, and alone."""
    config = composed(f"dset.train=[/music/{path}/x,songs]", f"dset.cache=/music/{path}")
    assert config.dset.train == (f"/music/{path}/x", "songs")
    assert config.dset.cache == f"/music/{path}"


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("solver.lrr", "solver.lr"),
        ("solver.epoch", "solver.epochs"),
        ("dset.batchsize", "dset.batch_size"),
        ("augment.remixx", "augment.remix"),
        ("misc.sead", "misc.seed"),
        ("htdemucs_n.chanels", "channels"),
        ("continue_form", "continue_from"),
    ],
)
def test_an_unknown_key_gets_the_nearest_name(slip: str, meant: str) -> None:
    """From Python, from the command line, and from the command line with Hydra's own way of adding keys."""
    values = default_values()
    *section, key = slip.split(".")
    (values[section[0]] if section else values)[key] = 1
    attempts = (lambda: TrainConfig.from_dict(values), lambda: composed(f"{slip}=1"), lambda: composed(f"+{slip}=1"))
    for attempt in attempts:
        with pytest.raises(UserError) as caught:
            attempt()
        message = str(caught.value)
        assert f"{key}'" in message
        assert f"{meant}'?" in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("model=demucs", "model"),
        ("solver.precision=fp8", "solver.precision"),
        ("solver.decay=1.5", "solver.decay"),
        ("solver.lr=fast", "solver.lr"),
        ("solver.epochs=1.5", "solver.epochs"),
        ("solver.epochs=true", "solver.epochs"),
        ("solver.epoch_steps=0", "solver.epoch_steps"),
        ("solver=3", "solver"),
        ("dset.batch_size=0", "dset.batch_size"),
        ("dset.batch_size=", "dset.batch_size"),
        ("dset.partial_share=1.5", "dset.partial_share"),
        ("distill.share=-1", "distill.share"),
        ("augment.eq=0.3", "augment.eq"),
        ("augment.eq.probability=2", "augment.eq.probability"),
        ("augment.gain.db=3", "augment.gain.db"),
        ("augment.gain.db=[4,-9]", "augment.gain.db"),
        ("augment.gain.db=[1]", "augment.gain.db"),
        ("augment.gain.db=[1,2,3]", "augment.gain.db"),
        ("augment.gain.db=[a,b]", "augment.gain.db"),
        ("augment.gain.db=[-.inf,0]", "augment.gain.db"),
        ("augment.limiter.db=[9,1]", "augment.limiter.db"),
        ("augment.limiter.db=[-1,1]", "augment.limiter.db"),
        ("augment.speed.range=[0,1]", "augment.speed.range"),
        ("augment.speed.range=[1.2,0.8]", "augment.speed.range"),
        ("augment.eq.db=-5", "augment.eq.db"),
        ("augment.eq.db=.nan", "augment.eq.db"),
        ("augment.pitch.semitones=[-40,-40]", "augment.pitch.semitones"),
        ("augment.remix=1.1", "augment.remix"),
        ("distill.weight=-1", "distill.weight"),
        ("distill.weight=.inf", "distill.weight"),
        ("distill.teacher=bands", "distill.mixtures"),
        ("distill.teacher_weights=file", "distill.teacher_weights"),
        ("dset.weights=[1]", "dset.weights"),
        ("dset.train=songs", "dset.train"),
        ("dset.extra.vocals=voices", "dset.extra.vocals"),
        ("misc.show=1", "misc.show"),
        ("htdemucs_n.channels=wide", "channels"),
        ("htdemucs_n.n_ffts=512", "n_ffts"),
        ("htdemucs_n.fusion_method=magic", "fusion_method"),
        ("preset=smal", "small"),
        ("dset.train=[", "'['"),
        ("--lr", "--lr"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_key(override: str, key: str) -> None:
    with pytest.raises(UserError) as caught:
        composed(override)
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", ["[0]", "[-1]", "[a]", "[true]", "[.nan]"])
def test_a_weight_of_songs_that_is_none(weights: str) -> None:
    with pytest.raises(ConfigError, match=r"dset\.weights.*above 0"):
        composed("dset.train=[songs]", f"dset.weights={weights}")


def test_a_range_is_told_with_its_limits() -> None:
    with pytest.raises(ConfigError) as caught:
        composed("augment.gain.db=[4,-9]")
    expected = "config key 'augment.gain.db' is [4, -9]: use two numbers from -60 to 60, the lower one first: [a,b]"
    assert str(caught.value) == expected
    assert composed("augment.gain.db=[3,3]").augment.stem_effects["gain"] == Gain(db=(3, 3))


def test_weights_beside_a_teacher_that_has_its_own() -> None:
    keys = ("distill.mixtures=[songs]", "distill.teacher_weights=file")
    with pytest.raises(ConfigError, match=r"distill\.teacher_weights.*spleeter-2stems"):
        composed(*keys, "distill.teacher=bands")
    assert composed(*keys, "distill.teacher=spleeter-2stems").distill.teacher_weights == "file"


def test_shares_of_more_than_all_items() -> None:
    """A share counts where there are songs for it."""
    shares = ("distill.share=0.6", "dset.partial_share=0.5")
    with pytest.raises(ConfigError, match=r"distill\.share.*dset\.partial_share.*1\.1"):
        composed(*shares, "distill.teacher=bands", "distill.mixtures=[songs]")
    assert composed(*shares).dset.partial_share == 0.5


def test_the_file_and_python_have_the_same_defaults() -> None:
    """The YAML documents every key; a configuration made in Python needs none of them."""
    assert TrainConfig.from_dict(default_values()) == TrainConfig()
    assert TrainConfig.from_dict({}) == TrainConfig()


def test_every_key_is_in_the_file() -> None:
    values = default_values()
    for section in ("solver", "dset", "distill", "misc"):
        assert values[section].keys() == {item.name for item in dataclasses.fields(getattr(TrainConfig(), section))}
    assert values["augment"].keys() == NO_AUGMENT.keys()


def test_an_unknown_config_file() -> None:
    with pytest.raises(UserError, match="nope"):
        compose_values("nope", [])


def test_tiny_config_changes_only_what_it_names(tmp_path: Path) -> None:
    """The helper of the other tests trains with the shipped settings but for sizes."""
    values = default_values()
    config = tiny_config(tmp_path)
    assert config.augment.remix == values["augment"]["remix"]
    assert config.solver.clip == values["solver"]["clip"]
    assert config.solver.steps == 6


def test_a_config_comes_back_from_its_yaml() -> None:
    for overrides in ([], ["preset=bands", "augment.eq.probability=0.3", "dset.extra.vocals=[a]", "dset.train=[b]"]):
        config = composed(*overrides)
        assert TrainConfig.from_dict(yaml.safe_load(yaml.safe_dump(config.to_dict()))) == config


def test_continuing_takes_the_network_of_the_checkpoint(tmp_path: Path) -> None:
    """Its kind and sizes, whatever the preset; keys of the network on the command line count."""
    config = BandTransformerConfig(blocks=2, band_channels=16, head_channels=8)
    save_model(tmp_path / "small.safetensors", build_network(config), {})
    start = f"continue_from={tmp_path / 'small.safetensors'}"
    assert compose_config("n_train", [start]).network == config
    assert compose_config("n_train", ["preset=small", start]).network == config
    longer = compose_config("n_train", [start, "band_transformer.segment=5"]).network
    assert longer == dataclasses.replace(config, segment=5)


def test_a_warm_up_longer_than_the_run_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    SolverConfig(epochs=1, epoch_steps=100, warmup_steps=101)
    assert "solver.warmup_steps is 101, but the run ends after 100 steps" in caplog.text
    caplog.clear()
    SolverConfig(epochs=1, epoch_steps=100, warmup_steps=100)
    assert not caplog.text
