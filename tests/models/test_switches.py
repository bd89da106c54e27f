"""Every config key has an effect, every setting can be built, and gradients reach every parameter of each."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from htdemucs_n.errors import UserError
from htdemucs_n.models.config import HTDemucsNConfig
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from models_helpers import TINY, noise, tiny_model

ALTERNATIVES: dict[str, list[Any]] = {
    "sources": [("vocals", "rest")],
    "audio_channels": [1],
    "samplerate": [22050],
    "segment": [0.25],
    "use_train_segment": [False],
    "n_ffts": [(1024, 2048), (512, 1024, 4096)],
    "stft_fusion_method": ["concat", "add"],
    "multi_stft_channels": [16],
    "band_zones": [((32, 8), (16, 112)), ((128, 16),)],
    "resunet_base_channels": [12],
    "resunet_depth": [1, 3],
    "resunet_use_se": [False],
    "resunet_use_attention": [False],
    "resunet_se_reduction": [4],
    "channels": [6],
    "depth": [3, 5],
    "growth": [1.5],
    "time_encoder_blocks": [0, 2],
    "time_decoder_blocks": [0, 2],
    "transformer_dim": [24],
    "attention": ["softmax"],
    "linear_attn_layers": [2],
    "linear_attn_heads": [1],
    "linear_attn_dim_head": [4],
    "linear_attn_ff_mult": [2],
    "lstm_layers": [1, 2],
    "fusion_method": ["add", "none"],
    "freq_projection_layers": [1, 3],
    "adaptive_fusion": [False],
    "spectral_head": ["softmax", "mapping", "none"],
    "mixture_consistency": [False],
}
"""Other values for each key of the config but `overlap`, which steers the separation and not the model."""

SETTINGS = [{}] + [{key: value} for key, values in ALTERNATIVES.items() for value in values]
PLAIN = {  # everything off at once
    "stft_fusion_method": "concat",
    "resunet_use_se": False,
    "resunet_use_attention": False,
    "fusion_method": "none",
    "mixture_consistency": False,
}


def described(setting: dict[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in setting.items()) or "default"


def shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


def evaluated(model: HTDemucs_n) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(noise(1, model.audio_channels, 7000))


def test_every_key_of_the_config_is_tried() -> None:
    keys = {field.name for field in dataclasses.fields(HTDemucsNConfig)}
    assert set(ALTERNATIVES) == keys - {"overlap"}


@pytest.mark.parametrize("setting", SETTINGS[1:], ids=described)
def test_every_setting_changes_the_parts_or_the_sound(setting: dict[str, Any]) -> None:
    """Either other tensors are learned, or the same tensors say something else."""
    base, changed = tiny_model(), tiny_model(**setting)
    if shapes(base) != shapes(changed):
        return
    changed.load_state_dict(base.state_dict())
    difference = (evaluated(base) - evaluated(changed)).abs().max()
    assert difference > 1e-3


@pytest.mark.parametrize(
    ("setting", "gone"),
    [
        ({"stft_fusion_method": "concat"}, "multi_stft_encoder.resolution_logits"),
        ({"resunet_use_se": False}, "freq_encoder.blocks.0.1."),
        ({"resunet_use_attention": False}, "freq_decoder.gates."),
        ({"fusion_method": "add"}, "fusion.net."),
        ({"fusion_method": "none"}, "fusion."),
        ({"adaptive_fusion": False}, "fusion.weigh."),
        ({"spectral_head": "none"}, "spectral_head."),
    ],
)
def test_a_part_that_is_off_is_not_there(setting: dict[str, Any], gone: str) -> None:
    assert [name for name in shapes(tiny_model()) if name.startswith(gone)]
    assert not [name for name in shapes(tiny_model(**setting)) if name.startswith(gone)]


@pytest.mark.parametrize("setting", [*SETTINGS, PLAIN], ids=described)
def test_gradients_reach_every_parameter(setting: dict[str, Any]) -> None:
    model = tiny_model(seed=1, **setting)
    target = noise(2, len(model.sources), model.audio_channels, 9000, seed=1)
    mixture = target.sum(dim=1)
    (model(mixture) - target).square().mean().backward()
    # The bias before a batch norm without a nonlinearity between: training subtracts it with the mean.
    exempt = "fusion.projection.narrow.bias"
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().max()) > 1e-9 or name == exempt, name


def test_keywords_override_the_config() -> None:
    config = HTDemucsNConfig(**TINY)
    model = HTDemucs_n(config, channels=6)
    assert model.config == dataclasses.replace(config, channels=6) and config.channels == 4


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"stft_fusion_method": "sum"}, "'stft_fusion_method' is 'sum': use one of attention, concat, add"),
        ({"fusion_method": "smart"}, "'fusion_method' is 'smart': use one of intelligent, add, none"),
        ({"spectral_head": "masks"}, "'spectral_head' is 'masks': use one of mask, softmax, mapping, none"),
        ({"n_ffts": [512, 8192]}, "has 8192: use 512, 1024, 2048 or 4096"),
        ({"band_zones": [[64, 8]]}, "'band_zones' must cover 2048 bins"),
        ({"band_zones": [[512, 4]]}, "4 bins in a band are not a multiple of 8"),
        ({"band_zones": [[2, 1024]]}, "2 bands don't halve 3 times"),
        ({"spectral_head": "none", "fusion_method": "none"}, "the frequency branch has no effect"),
        ({"channels": "wide"}, "'channels' is 'wide': give a whole number"),
        ({"channels": 4.5}, "'channels' is '4.5': give a whole number"),
        ({"channels": True}, "'channels' is 'True': give a whole number"),
        ({"segment": "long"}, "'segment' is 'long': give a number"),
        ({"resunet_depth": 0}, "'resunet_depth' is '0': give a number above 0"),
        ({"freq_projection_layers": 0}, "'freq_projection_layers' is '0': give a number above 0"),
        ({"lstm_layers": -1}, "'lstm_layers' is '-1': give 0 or more"),
        ({"resunet_use_se": "yes"}, "'resunet_use_se' is 'yes': give true or false"),
        ({"sources": "drums"}, "'sources' is 'drums': give a list"),
        ({"n_ffts": []}, "'n_ffts' is '[]': give a list"),
        ({"band_zones": [[64, 8, 1]]}, "'band_zones': give pairs"),
        ({"band_zones": [[-1, 8], [257, 8]]}, "'band_zones': give pairs"),
        ({"chanels": 64}, "unknown config key 'chanels': did you mean 'channels'?"),
        ({"resunet_depht": 3}, "did you mean 'resunet_depth'?"),
        ({"zzz": 3}, "unknown config key 'zzz'"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(values: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as error:
        HTDemucsNConfig.from_dict(values)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_config_is_restored_from_plain_types() -> None:
    config = HTDemucsNConfig(**TINY)
    lists = {k: list(v) if isinstance(v, tuple) else v for k, v in config.to_dict().items()}
    assert HTDemucsNConfig.from_dict(lists) == config
    assert hash(HTDemucsNConfig.from_dict(lists)) == hash(config)
