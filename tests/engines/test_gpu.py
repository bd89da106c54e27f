"""Separation on a GPU gives the stems that it gives on a CPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from htdemucs_n import Separator

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
]


@pytest.mark.parametrize(("precision", "error_db"), [("fp32", -60.0), ("bf16", -25.0)])
def test_the_stems_are_those_of_the_cpu(demo_stems: dict[str, Tensor], precision: str, error_db: float) -> None:
    """Up to rounding: the error is relative to the mixture."""
    mixture = torch.stack(list(demo_stems.values())).sum(dim=0)
    expected = Separator(device="cpu", precision="fp32").separate(mixture, 44100)
    stems = Separator(device="cuda", precision=precision).separate(mixture, 44100)
    for name, stem in stems.items():
        error = (stem.cpu() - expected[name]).square().mean() / mixture.square().mean()
        assert 10 * error.log10() < error_db, name
