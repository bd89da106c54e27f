"""What every preset costs, pinned; and that files, defaults and the design's table say the same."""

from __future__ import annotations

import dataclasses
from importlib import resources
from typing import Any

import pytest
import torch
import yaml
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from htdemucs_n.errors import UserError
from htdemucs_n.models.architectures import Network, NetworkConfig, build_network
from htdemucs_n.models.config import HTDemucsNConfig
from htdemucs_n.models.presets import load_preset, preset_names

SEGMENT = 343_980  # samples: 7.8 s
COSTS = {  # parameters, and GFLOPs of convolutions and matrix products for one segment of 7.8 s
    "bands": (3_862_032, 23.525),
    "default": (43_406_533, 107.654),
    "fast": (28_047_138, 83.442),
    "high_quality": (72_762_483, 204.184),
    "low_memory": (28_053_574, 65.140),
    "small": (13_461_338, 28.627),
    "small_multi": (14_085_158, 30.374),
}
BUDGET = {  # millions of parameters in the design document
    "multi-resolution encoder": (1.2, ["multi_stft", "multi_stft_encoder"]),
    "ResUNet++": (12.8, ["complex_encoder", "freq_encoder", "freq_decoder", "stft", "spectral_head"]),
    "transformer": (15.2, ["transformer"]),
    "fusion": (2.3, ["fusion"]),
    "time encoder": (6.4, ["time_encoder"]),
    "time decoder": (4.9, ["time_decoder"]),
}


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def unmaterialised(config: NetworkConfig) -> Network:
    """The model with shapes and no memory, to be used within the same `FakeTensorMode`."""
    return build_network(config).eval()


def document(name: str) -> dict[str, Any]:
    text = resources.files("htdemucs_n").joinpath("conf", name).read_text(encoding="utf-8")
    return yaml.safe_load(text) or {}


@pytest.mark.parametrize("name", preset_names())
def test_parameters_and_flops(name: str) -> None:
    with FakeTensorMode(), torch.no_grad():
        model = unmaterialised(load_preset(name))
        with FlopCounterMode(display=False) as counter:
            stems = model(torch.empty(1, 2, SEGMENT))
    count, gflops = COSTS[name]
    assert stems.shape == (1, 4, 2, SEGMENT)
    assert parameters(model) == count
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflops, rel=1e-4)


def test_every_preset_is_priced() -> None:
    assert set(COSTS) == set(preset_names())


def test_the_default_keeps_to_the_design_budget() -> None:
    with FakeTensorMode():
        model = unmaterialised(load_preset())
    assert parameters(model) == pytest.approx(43.3e6, rel=0.01)
    assert COSTS["default"][1] <= 219.16
    children = dict(model.named_children())
    for part, (millions, names) in BUDGET.items():
        count = sum(parameters(children.pop(name)) for name in names)
        assert count == pytest.approx(millions * 1e6, rel=0.2), part
    assert set(children) == {"lstm"} or not children, "every module belongs to one part"


def test_the_file_of_defaults_is_the_config_class() -> None:
    section = document("n_train.yaml")["htdemucs_n"]
    assert set(section) == {field.name for field in dataclasses.fields(HTDemucsNConfig)}
    assert HTDemucsNConfig.from_dict(section) == HTDemucsNConfig() == load_preset("default")


@pytest.mark.parametrize(
    ("name", "model", "training"),
    [
        (
            "high_quality",
            {
                "channels": 64,
                "resunet_base_channels": 96,
                "linear_attn_heads": 12,
                "linear_attn_layers": 6,
            },
            {"dset.batch_size": 8, "solver.lr": 5e-4},
        ),
        (
            "low_memory",
            {
                "channels": 32,
                "resunet_base_channels": 48,
                "linear_attn_heads": 6,
                "linear_attn_layers": 4,
            },
            {"dset.batch_size": 2, "solver.lr": 2e-4},
        ),
        (
            "fast",
            {
                "n_ffts": (1024, 2048),
                "resunet_depth": 3,
                "linear_attn_layers": 3,
                "segment": 5.0,
            },
            {"dset.segment": 5.0},
        ),
    ],
)
def test_a_preset_differs_in_the_keys_of_the_design_only(
    name: str, model: dict[str, Any], training: dict[str, Any]
) -> None:
    assert load_preset(name) == dataclasses.replace(HTDemucsNConfig(), **model)
    values = document(f"preset/{name}.yaml")
    flat = {
        f"{group}.{key}": value
        for group, keys in values.items()
        if group != "htdemucs_n"
        for key, value in keys.items()
    }
    assert flat == training


def test_an_unknown_preset_gets_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"unknown preset 'high-quality': did you mean 'high_quality'\?"):
        load_preset("high-quality")
    with pytest.raises(UserError, match="known: bands, default, fast, high_quality, low_memory, small, small_multi"):
        load_preset("zzz")
