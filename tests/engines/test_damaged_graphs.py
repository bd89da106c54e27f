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
from htdemucs_n.errors import DeviceError, ModelError

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


def set_ir_version(model: Any) -> None:
    model.ir_version = 99


def set_opset(model: Any) -> None:
    model.opset_import[0].version = 99


def use_unknown_operator(model: Any) -> None:
    next(node for node in model.graph.node if node.op_type == "Tanh").op_type = "Tanh2040"


@pytest.mark.parametrize(
    ("engine", "change", "says"),
    [
        ("onnx", set_ir_version, "Unsupported model IR version: 99"),
        ("onnx", set_opset, "is till opset"),
        ("onnx", use_unknown_operator, "No Op registered for Tanh2040"),
        ("openvino", use_unknown_operator, "No conversion rule found for operations: Tanh2040"),
    ],
)
def test_a_format_that_the_library_does_not_know_yet(
    engine: str, change: Change, says: str, bands: Path, tmp_path: Path
) -> None:
    library = {"onnx": "onnxruntime", "openvino": "openvino"}[engine]
    message = refusal(changed(bands, tmp_path, change), engine)
    assert says in message and message.endswith(f"): install a newer {library}, or export it again")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("location", ["none.safetensors", "../../../../../../etc/passwd", "/etc/passwd", "link"])
def test_weights_that_are_missing_or_in_another_folder(engine: str, location: str, bands: Path, tmp_path: Path) -> None:
    def refer(model: Any) -> None:
        weight = next(tensor for tensor in model.graph.initializer if tensor.name.endswith(".stored"))
        onnx.external_data_helper.set_external_data(weight, location, offset=0)
        weight.ClearField("raw_data")

    (tmp_path / "link").symlink_to("/etc/passwd")
    message = refusal(changed(bands, tmp_path, refer), engine)
    assert location.lower() in message.lower() or "Absolute path not allowed" in message
    assert ".cc" not in message and message.endswith("): export or fetch it again")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("content", [b"", b"no model", bytes(1000)], ids=["empty", "text", "zeros"])
def test_a_file_of_another_format(
    engine: str, content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """OpenVINO does not try it in all formats that it knows, which print lines of their own."""
    for suffix in (".onnx", ".xml") if engine == "openvino" else (".onnx",):
        file = tmp_path / f"none{suffix}"
        file.write_bytes(content)
        assert "cannot be loaded" in refusal(file, engine)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("engine", ENGINES)
def test_memory_that_runs_out_while_a_graph_is_loaded(
    engine: str, bands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("Exception during initialization:\nstd::bad_alloc")

    monkeypatch.setattr("htdemucs_n.engines.onnx_engine._ERRORS", (RuntimeError,))
    monkeypatch.setattr("onnxruntime.InferenceSession", fail)
    monkeypatch.setattr("openvino.Core.compile_model", fail)
    with pytest.raises(DeviceError, match="not enough memory to load the model: end other programs"):
        load_engine(bands, engine=engine, precision="fp32")


def test_memory_that_runs_out_while_torch_loads_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr("htdemucs_n.models.registry.load_model", fail)
    with pytest.raises(DeviceError, match="not enough memory to load the model"):
        load_engine("bands", engine="torch", device="cpu")


def test_a_path_is_no_sign_that_memory_ran_out(tmp_path: Path) -> None:
    (tmp_path / "bad_alloc").mkdir()
    (tmp_path / "bad_alloc" / "text.onnx").write_text("no model")
    refusal(tmp_path / "bad_alloc" / "text.onnx", "onnx")
