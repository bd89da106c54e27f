"""An official network of random weights as a graph: the same stems as `demucs` gives, and what is refused."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audio_helpers import SOURCES
from graph_helpers import noise, stems_of
from htdemucs_n.cli.main import main
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.engines.engine import Engine
from htdemucs_n.errors import ModelError, OptionError
from htdemucs_n.export.official_graph import OfficialGraph
from htdemucs_n.models.ensemble import Ensemble
from htdemucs_n.models.official import OfficialModel

SECONDS = 2
SIZES: dict[str, Any] = {"channels": 16, "t_layers": 3, "depth": 4, "bottom_channels": 32, "t_heads": 4}


def network(kind: str = "HTDemucs", **sizes: Any) -> Any:
    """An official network with the random weights of seed 0."""
    from demucs.hdemucs import HDemucs
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(0)
    return {"HTDemucs": HTDemucs, "HDemucs": HDemucs}[kind](list(SOURCES), segment=Fraction(SECONDS), **sizes).eval()


@pytest.fixture(scope="module")
def hybrid() -> Any:
    return network(**SIZES)


def save(member: Any, path: Path) -> Path:
    """As the official project writes them."""
    args, kwargs = member._init_args_kwargs
    torch.save({"klass": type(member), "args": args, "kwargs": kwargs, "state": member.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def graph(hybrid: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("official")
    path = folder / "official.onnx"
    command = ["htdemucs-n", "export", str(save(hybrid, folder / "official.th")), "-o", str(path), "--float32"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as caught:
        patch.setattr(sys, "argv", [*command, "--trust-checkpoint"])
        main()
    assert not caught.value.code
    return path


def load(engine: str, path: Path, **options: Any) -> Engine:
    return load_engine(path, engine=engine, precision="auto", threads=2, **options)


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_the_stems_are_those_of_demucs(engine: str, graph: Path, hybrid: Any) -> None:
    loaded = load(engine, graph)
    assert (loaded.precision, loaded.segment, loaded.sources) == ("fp32", SECONDS, SOURCES)
    for samples in (SECONDS * 44_100, 30_001):
        mixture = noise(1, 2, samples)
        np.testing.assert_allclose(loaded.separate(mixture), stems_of(hybrid, mixture), atol=1e-5)


def test_a_shorter_segment_is_padded_and_a_longer_one_refused(graph: Path, hybrid: Any) -> None:
    mixture = noise(1, 2, 44_100)
    np.testing.assert_allclose(load("onnx", graph, segment=1.0).separate(mixture), stems_of(hybrid, mixture), atol=1e-5)
    with pytest.raises(OptionError, match=r"segment is 3: this model takes 2 seconds at most"):
        load("onnx", graph, segment=3.0)


def test_the_network_itself_stays_as_it_was(hybrid: Any) -> None:
    mixture = noise(1, 2, 44_100)
    before = stems_of(hybrid, mixture)
    model = OfficialModel(hybrid)
    arguments = torch.zeros(1, 2, SECONDS * 44_100), torch.zeros(1, 2, 87, 2048, 2)
    with torch.inference_mode():
        OfficialGraph(model, {})(*arguments)
    np.testing.assert_array_equal(stems_of(hybrid, mixture), before)


def test_a_bag_of_one_is_its_member_and_a_bag_of_several_is_refused(hybrid: Any) -> None:
    bag = Ensemble([OfficialModel(hybrid)], [[1.0] * 4])
    assert OfficialGraph(bag, {}).info == OfficialGraph(OfficialModel(hybrid), {}).info
    bag = Ensemble([OfficialModel(hybrid)] * 2, [[1.0] * 4] * 2)
    with pytest.raises(ModelError, match=r"this is a bag of 2 networks: export the file of each, and average them"):
        OfficialGraph(bag, {})


def test_older_architectures_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    file = save(network("HDemucs", channels=8, depth=3), tmp_path / "old.th")
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "export", str(file), "-o", "a.onnx", "--trust-checkpoint"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    assert capsys.readouterr().err == ("error: a HDemucs cannot be exported: only the networks of htdemucs can\n")
