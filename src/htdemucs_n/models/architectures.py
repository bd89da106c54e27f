"""The networks that a config or a checkpoint can ask for, by the name that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from htdemucs_n.errors import ConfigError, suggestion
from htdemucs_n.models.band_transformer import BandTransformer, BandTransformerConfig
from htdemucs_n.models.config import HTDemucsNConfig
from htdemucs_n.models.htdemucs_n import HTDemucs_n

NetworkConfig = HTDemucsNConfig | BandTransformerConfig
Network = HTDemucs_n | BandTransformer

ARCHITECTURES: dict[str, tuple[Any, Any]] = {
    "htdemucs_n": (HTDemucsNConfig, HTDemucs_n),
    "band_transformer": (BandTransformerConfig, BandTransformer),
}
"""The config and the network of each name."""


def network_config(architecture: str, values: Mapping[str, Any]) -> NetworkConfig:
    """The config of a network from the keys of its section. Raises `UserError` for an unknown network or key."""
    if architecture not in ARCHITECTURES:
        raise ConfigError(f"config key 'model' is '{architecture}': {suggestion(architecture, list(ARCHITECTURES))}")
    config: NetworkConfig = ARCHITECTURES[architecture][0].from_dict(values)
    return config


def build_network(config: NetworkConfig) -> Network:
    """The network of a config, with random weights."""
    network: Network = ARCHITECTURES[architecture_of(config)][1](config)
    return network


def architecture_metadata(config: NetworkConfig) -> dict[str, Any]:
    """What a checkpoint has to say for its network to be built again."""
    return {"architecture": architecture_of(config), "config": config.to_dict()}


def network_from_metadata(metadata: Mapping[str, Any]) -> Network:
    """The network that `architecture_metadata` describes, with random weights; without a name it is HTDemucs_n."""
    return build_network(network_config(metadata.get("architecture", "htdemucs_n"), metadata["config"]))


def architecture_of(config: NetworkConfig) -> str:
    """The name under which the network of `config` is known."""
    return next(name for name, (kind, _) in ARCHITECTURES.items() if isinstance(config, kind))
