"""The mean of several models: by hand, through the registry, and where one model is wanted."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from htdemucs_n import Separator
from htdemucs_n.errors import UserError
from htdemucs_n.models import names, registry
from htdemucs_n.models.ensemble import Ensemble, with_segment
from htdemucs_n.models.storage import load_saved_model, save_model
from htdemucs_n.profiling.cost import count_cost
from htdemucs_n.profiling.parts import REST
from models_helpers import noise, tiny_model


class Scale(nn.Module):
    """A member that multiplies by a number."""

    def __init__(self, gain: float, segment: float = 0.1) -> None:
        super().__init__()
        self.gain, self.sources, self.samplerate, self.segment = gain, ["a", "b"], 44100, Fraction(segment)
        self.overlap, self.max_segment = 0.25, 2 * segment

    def forward(self, mixture: Tensor) -> Tensor:
        return self.gain * mixture[:, None].repeat(1, 2, 1, 1)


def test_every_stem_has_weights_of_its_own() -> None:
    mixture = torch.rand(1, 2, 50)
    stems = Ensemble([Scale(1.0), Scale(5.0)], [[1.0, 0.0], [1.0, 3.0]])(mixture)
    torch.testing.assert_close(stems[:, 0], 3 * mixture)
    torch.testing.assert_close(stems[:, 1], 5 * mixture)


def test_without_weights_it_is_the_mean() -> None:
    mixture = torch.rand(2, 2, 50)
    stems = Ensemble([Scale(1.0), Scale(2.0), Scale(6.0)])(mixture)
    torch.testing.assert_close(stems, 3 * mixture[:, None].repeat(1, 2, 1, 1))


def test_it_takes_no_more_at_once_than_each_member() -> None:
    longer = Scale(1.0, 0.5)
    both = Ensemble([longer, Scale(1.0, 0.25)])
    assert (both.sources, both.samplerate, both.segment, both.max_segment) == (("a", "b"), 44100, 0.25, 0.5)
    assert [member.segment for member in both.members] == [0.25] * 2, "no member pads its input to a longer segment"
    assert longer.segment == 0.5, "the model of the caller is as it was"


def test_the_smallest_overlap_and_full_precision_where_one_member_needs_it() -> None:
    plain, exact = Scale(1.0), Scale(1.0)
    exact.overlap, exact.full_precision = 0.1, True
    for members in ([plain, exact], [exact, plain]):
        both = Ensemble(members)
        assert (both.overlap, both.full_precision) == (0.1, True)
    assert not Ensemble([plain, Scale(1.0)]).full_precision


def test_a_copy_for_another_segment_shares_the_weights() -> None:
    both = Ensemble([Scale(1.0, 0.5), Scale(1.0, 0.25)])
    copied = with_segment(both, 0.2)
    assert [copied.segment, *(member.segment for member in copied.members)] == [0.2] * 3
    assert [both.segment, *(member.segment for member in both.members)] == [0.25] * 3
    assert copied.weights is both.weights


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of two networks and their mean."""
    folder = tmp_path / "weights"
    monkeypatch.setattr(names, "_WEIGHTS", folder)
    for seed, name in enumerate(("one", "two")):
        torch.manual_seed(seed)
        save_model(folder / f"{name}.safetensors", tiny_model(), {"sdr": {"mean": 1.0}, "licence": "that of one"})
    both = {"members": ["one", "two"], "sdr": {"mean": 2.5}, "licence": "that of both"}
    (folder / "both.json").write_text(json.dumps(both), encoding="utf-8")
    return folder


def test_a_name_loads_the_mean_of_its_members(shipped: Path) -> None:
    model = registry.load_model("both")
    mixture = noise(1, 2, 5000)
    with torch.no_grad():
        one, two = (load_saved_model(shipped / f"{name}.safetensors")[0](mixture) for name in ("one", "two"))
        torch.testing.assert_close(model(mixture), (one + two) / 2, atol=2e-5, rtol=1e-4)
    assert not model.training and names.available_models() == ["both", "one", "two"]


def test_an_ensemble_separates_as_its_members_named_one_by_one(shipped: Path) -> None:
    mixture = noise(2, 30000)
    together, apart = (Separator(model, device="cpu").separate(mixture, 44100) for model in ("both", ["one", "two"]))
    for source, stem in together.items():
        torch.testing.assert_close(stem, apart[source], atol=1e-5, rtol=1e-4)


def test_it_is_described_as_the_sum_of_its_parts(shipped: Path) -> None:
    one, both = names.describe_model("one"), names.describe_model("both")
    assert both.parameters == 2 * one.parameters == 2 * sum(p.numel() for p in tiny_model().parameters())
    assert both.mib == pytest.approx(2 * one.mib)
    assert (one.sdr, one.weights_licence, both.sdr, both.weights_licence) == (1.0, "that of one", 2.5, "that of both")
    cost, of_both = (count_cost(registry.load_model(name), 44100) for name in ("one", "both"))
    assert of_both.parameters == {part: 2 * count for part, count in cost.parameters.items()}
    assert of_both.flops == {part: 2 * count for part, count in cost.flops.items()} and of_both.flops[REST] == 0


def test_where_one_file_of_weights_is_wanted(shipped: Path) -> None:
    assert names.weights_path("two") == shipped / "two.safetensors"
    with pytest.raises(UserError, match="both is the mean of one and two: name one of these"):
        names.weights_path("both")
