"""Weights for other stems: what is in both keeps its weights, what is new its random values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from htdemucs_n.errors import UserError
from htdemucs_n.models.architectures import Network, build_network
from htdemucs_n.models.band_transformer import BandTransformerConfig
from htdemucs_n.models.config import HTDemucsNConfig
from htdemucs_n.training.transfer import fitted
from models_helpers import TINY

FOUR = ("drums", "bass", "other", "vocals")
FIVE = ("drums", "guitar", "bass", "other", "vocals")

BANDS: dict[str, Any] = {"band_zones": [[16, 8], [8, 240]], "band_channels": 16, "blocks": 1, "head_channels": 8}


def network(kind: str, sources: tuple[str, ...], seed: int, **keys: Any) -> Network:
    torch.manual_seed(seed)
    if kind == "bands":
        return build_network(BandTransformerConfig(**(BANDS | keys), sources=sources)).eval()
    return build_network(HTDemucsNConfig(**(TINY | keys), sources=sources, mixture_consistency=False)).eval()


@pytest.mark.parametrize("kind", ["hybrid", "bands"])
def test_a_stem_more_leaves_the_others_as_they_were(kind: str) -> None:
    """Of the hybrid network the four stems are the same; the other one's stems are projected onto the mixture, so
    that there the differences between stems are."""
    old, new = network(kind, FOUR, 1), network(kind, FIVE, 2)
    new.load_state_dict(fitted(old.state_dict(), FOUR, new, Path("old")))
    mixture = torch.randn(1, 2, 9000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before, after = old(mixture), new(mixture)[:, [FIVE.index(stem) for stem in FOUR]]
    if kind == "bands":
        before, after = before.diff(dim=1), after.diff(dim=1)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["hybrid", "bands"])
def test_stems_in_another_order_are_found_by_name(kind: str) -> None:
    turned = FOUR[::-1]
    old, new = network(kind, FOUR, 1), network(kind, turned, 2)
    new.load_state_dict(fitted(old.state_dict(), FOUR, new, Path("old")))
    mixture = torch.randn(1, 2, 9000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(new(mixture).flip(1), old(mixture), atol=1e-5, rtol=1e-4)


def test_another_size_is_refused_by_name() -> None:
    old, new = network("hybrid", FOUR, 1), network("hybrid", FIVE, 2, transformer_dim=32)
    with pytest.raises(UserError, match=r"old\.safetensors does not fit this model") as caught:
        fitted(old.state_dict(), FOUR, new, Path("old.safetensors"))
    assert "\n" not in str(caught.value)
