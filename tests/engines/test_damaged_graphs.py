"""Files of graphs that cannot be run: one line that says why and what to do, whatever is wrong with the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from graph_helpers import exported, tiny_bands
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.errors import ModelError

ENGINES = ["onnx", "openvino"]

Change = Callable[[Any], object]


@pytest.fixture(scope="module")
def bands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tiny_bands(), tmp_path_factory.mktemp("graph") / "bands.onnx")


def changed(bands: Path, folder: Path, change: Change) -> Path:
    """A copy of the file, with its model changed."""
    model = onnx.load(bands)
    change(model)
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


def described(**values: Any) -> Change:
    """Changes values of the description of a graph."""

    def change(model: Any) -> None:
        (entry,) = (entry for entry in model.metadata_props if entry.key == "graph")
        entry.value = json.dumps({**json.loads(entry.value), **values})

    return change


def refusal(path: Path, engine: str) -> str:
    """The one line with which an engine refuses a file."""
    with pytest.raises(ModelError) as caught:
        load_engine(path, engine=engine, precision="fp32", threads=1)
    message = str(caught.value)
    assert message.startswith(f"{path} ") and "\n" not in message
    return message


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "values",
    [
        {"sources": []},
        {"sources": ["a", "b", "c"]},
        {"sources": ["a", "a", "b", "c"]},
        {"sources": [1, 2, 3, 4]},
        {"samplerate": 0},
        {"samplerate": "44100"},
        {"segment": -1.0},
        {"segment": float("nan")},
        {"segment": 1e9},
        {"segment": None},
        {"overlap": 1.5},
        {"inputs": ["audio"]},
        {"inputs": ["spectrum_4096", "spectrum_2048"]},
        {"outputs": ["masks_0"]},
        {"outputs": ["masks_0", "masks_1", "masks_2"]},
        {"outputs": []},
        {"n_ffts": [1000]},
        {"output_n_fft": 2048},
        {"frame_multiple": 0},
        {"samples": -5},
        {"edges": "wrapped"},
        {"level": "yes"},
        {"facts": [1, 2]},
    ],
    ids=str,
)
def test_a_description_that_does_not_fit_the_graph(
    engine: str, values: dict[str, Any], bands: Path, tmp_path: Path
) -> None:
    message = refusal(changed(bands, tmp_path, described(**values)), engine)
    assert "does not fit its description (" in message and message.endswith("): export it again")
