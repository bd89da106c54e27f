"""Files of graphs that cannot be run: one line that says why and what to do, whatever is wrong with the file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import pytest

from graph_helpers import exported, noise, tiny_bands
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.engines.engine import Engine
from htdemucs_n.engines.graph_check import MOST_SAMPLES
from htdemucs_n.engines.openvino_engine import openvino_core
from htdemucs_n.errors import DeviceError, ModelError
from htdemucs_n.export.graph import network_graph
from htdemucs_n.export.onnx_file import export_onnx
from htdemucs_n.models.storage import save_model

ENGINES = ["onnx", "openvino"]

BESIDE = "weights.safetensors"
"""The file of weights beside the graph `beside`."""

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


def description(model: Any) -> Any:
    """The metadata of an ONNX model that describe its graph."""
    (entry,) = (entry for entry in model.metadata_props if entry.key == "graph")
    return entry


def described(**values: Any) -> Change:
    """Changes values of the description of a graph."""

    def change(model: Any) -> None:
        entry = description(model)
        entry.value = json.dumps({**json.loads(entry.value), **values})

    return change


def load(path: Path, engine: str) -> Engine:
    return load_engine(path, engine=engine, precision="fp32", threads=1)


def refusal(path: Path, engine: str) -> str:
    """The one line with which an engine refuses a file."""
    with pytest.raises(ModelError) as caught:
        load(path, engine)
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
        {"sources": ["a", "b", "c", "d\n"]},
        {"sources": ["a", "b", "c", "\ud800"]},
        {"samplerate": 0},
        {"samplerate": 10**12},
        {"segment": -1.0},
        {"segment": 1e-9},
        {"segment": float("nan")},
        {"segment": 1e9},
        {"overlap": 1.5},
        {"overlap": float("nan")},
        {"inputs": ["audio"]},
        {"inputs": ["spectrum_4096", "spectrum_4096"]},
        {"inputs": ["spectrum_4096", "spectrum_2048"]},
        {"outputs": ["masks_0"]},
        {"outputs": ["masks_0", "masks_1", "masks_2"]},
        {"outputs": ["masks_1", "masks_0"]},
        {"outputs": []},
        {"n_ffts": [1000]},
        {"n_ffts": [4096, 2048]},
        {"n_ffts": [4096, 2**40]},
        {"output_n_fft": 2048},
        {"frame_multiple": 0},
        {"frame_multiple": 10**9},
        {"samples": -5},
        {"samples": 1},
        {"samples": 10**12},
        {"edges": "wrapped"},
    ],
    ids=str,
)
def test_a_description_that_does_not_fit_the_graph(
    engine: str, values: dict[str, Any], bands: Path, tmp_path: Path
) -> None:
    message = refusal(changed(bands, tmp_path, described(**values)), engine)
    assert "does not fit its description (" in message and message.endswith("): export it again")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sources", [1, 2, 3, 4]),
        ("sources", "abcd"),
        ("samplerate", "44100"),
        ("samplerate", True),
        ("samplerate", float("nan")),
        ("segment", None),
        ("segment", True),
        ("inputs", [["x"]]),
        ("inputs", {"spectrum_4096": 1}),
        ("outputs", [1, 2]),
        ("outputs", [["a"]]),
        ("outputs", 5),
        ("n_ffts", 4096),
        ("output_n_fft", [4096]),
        ("frame_multiple", True),
        ("samples", 1e5),
        ("edges", ["zero"]),
        ("level", "yes"),
        ("level", 1),
        ("facts", [1, 2]),
    ],
)
def test_a_description_with_values_of_the_wrong_kind(
    engine: str, key: str, value: Any, bands: Path, tmp_path: Path
) -> None:
    message = refusal(changed(bands, tmp_path, described(**{key: value})), engine)
    assert message.endswith(f" has damaged metadata (the wrong kind of {key}): export it again")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "recursion"),
        ('{"a":' * 100_000, "recursion"),
        ("{", "property name"),
        ("", "Expecting value"),
        ("9" * 5000, "limit"),
        ("[1]", "its keys are not those of a graph"),
        ("null", "its keys are not those of a graph"),
        ("{}", "its keys are not those of a graph"),
        ('{"a\\nb": 1}', "its keys are not those of a graph"),
    ],
    ids=lambda text: text[:10],
)
def test_a_description_that_is_no_description(engine: str, text: str, says: str, bands: Path, tmp_path: Path) -> None:
    def describe(model: Any) -> None:
        description(model).value = text

    message = refusal(changed(bands, tmp_path, describe), engine)
    assert " has damaged metadata (" in message and says in message and message.endswith("): export it again")


def test_the_longest_segment_of_a_graph(bands: Path, tmp_path: Path) -> None:
    """In frames of 1024 samples. It is not computed here."""
    most = MOST_SAMPLES // 4 // 1024
    assert load(changed(bands, tmp_path, described(frame_multiple=most)), "onnx").segment == 0.5
    message = refusal(changed(bands, tmp_path, described(frame_multiple=most + 1)), "onnx")
    assert message.endswith(" does not fit its description (samples of a segment): export it again")


@pytest.mark.parametrize("axis", [0, 5])
def test_masks_whose_bands_vary(axis: int, bands: Path, tmp_path: Path) -> None:
    """OpenVINO takes the shape from the graph itself."""

    def vary(model: Any) -> None:
        model.graph.output[0].type.tensor_type.shape.dim[axis].dim_param = "any"

    path = changed(bands, tmp_path, vary)
    assert "does not fit its description (" in refusal(path, "onnx")
    assert np.isfinite(load(path, "openvino").separate(noise(1, 2, 2048))).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_output_that_is_no_band(engine: str, bands: Path, tmp_path: Path) -> None:
    def rename(model: Any) -> None:
        for node in model.graph.node:
            node.output[:] = ["masks_x" if name == "masks_0" else name for name in node.output]
        model.graph.output[0].name = "masks_x"
        entry = description(model)
        entry.value = entry.value.replace("masks_0", "masks_x")

    message = refusal(changed(bands, tmp_path, rename), engine)
    assert message.endswith(" does not fit its description (outputs): export it again")


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
        ("openvino", set_ir_version, "IR version 99 and opset 20"),
        ("openvino", set_opset, "IR version 10 and opset 99"),
        ("onnx", use_unknown_operator, "No Op registered for Tanh2040"),
        ("openvino", use_unknown_operator, "No conversion rule found for operations: Tanh2040"),
    ],
)
def test_a_format_that_the_library_does_not_know_yet(
    engine: str, change: Change, says: str, bands: Path, tmp_path: Path
) -> None:
    """OpenVINO would run a newer file without a word, whatever its operators mean by then."""
    mend = "install a newer onnxruntime" if engine == "onnx" else "install a newer openvino"
    if engine == "openvino" and change is not use_unknown_operator:
        mend = "use --engine onnx"
    message = refusal(changed(bands, tmp_path, change), engine)
    assert says in message and message.endswith(f"): {mend}, or export it again")


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


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph whose weights lie beside it."""
    folder, network = tmp_path_factory.mktemp("beside"), tiny_bands()
    save_model(folder / BESIDE, network, {})
    export_onnx(folder / "beside.onnx", network_graph(network, {}), folder / BESIDE)
    return folder / "beside.onnx"


def lengthen_header(weights: bytearray) -> bytearray:
    size = int.from_bytes(weights[:8], "little")
    longer = weights[8 : 8 + size].replace(b'{"__metadata__":{', b'{"__metadata__":{"note":"of length",', 1)
    assert len(longer) > size
    return bytearray(len(longer).to_bytes(8, "little")) + longer + weights[8 + size :]


def clear_a_part(weights: bytearray) -> bytearray:
    weights[-600:-500] = bytes(100)
    return weights


def clear_all(weights: bytearray) -> bytearray:
    return bytearray(len(weights))


def change_the_last_byte(weights: bytearray) -> bytearray:
    weights[-1] ^= 1
    return weights


@pytest.mark.parametrize(
    ("version", "says"),
    [("1", "an older htdemucs-n: export it again"), ("3", "a newer htdemucs-n: install that version")],
)
def test_a_graph_of_another_version(version: str, says: str, bands: Path, tmp_path: Path) -> None:
    def change(model: Any) -> None:
        (entry,) = (entry for entry in model.metadata_props if entry.key == "version")
        entry.value = version

    assert refusal(changed(bands, tmp_path, change), "onnx").endswith(f" was exported by {says}")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("change", [lengthen_header, clear_a_part, clear_all, change_the_last_byte])
def test_another_file_of_weights_beside_a_graph(
    engine: str, change: Callable[[bytearray], bytearray], beside: Path, tmp_path: Path
) -> None:
    """The graph has places in the file, at which there is something else now."""
    graph, weights = (Path(shutil.copy(beside.with_name(name), tmp_path)) for name in (beside.name, BESIDE))
    stems = load(graph, engine).separate(noise(1, 2, 2048))
    np.testing.assert_array_equal(stems, load(beside, engine).separate(noise(1, 2, 2048)))
    weights.write_bytes(change(bytearray(weights.read_bytes())))
    assert refusal(graph, engine) == (
        f"{graph} cannot be used with {weights}, which is not the file that it was exported with: "
        "export it again, or restore that file"
    )


@pytest.mark.parametrize("named", ["none", ".", "", "empty", "a\0b"])
def test_a_graph_that_names_no_file_of_weights(named: str, bands: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    path = changed(bands, tmp_path, lambda model: model.metadata_props.add(key="weights", value=f"00000000 {named}"))
    assert " is not the file that it was exported with: " in refusal(path, "onnx")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "content",
    [b"", b"no model of any opset", bytes(1000), b"<?xml version='1.0'?>\n<a><b/></a>\n", b"<net name='x'/>"],
    ids=["empty", "text", "zeros", "xml", "network without a version"],
)
def test_a_file_of_another_format(
    engine: str, content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """OpenVINO does not try it in all formats that it knows, which print lines of their own."""
    for suffix in (".onnx", ".xml") if engine == "openvino" else (".onnx",):
        file = tmp_path / f"none{suffix}"
        file.write_bytes(content)
        message = refusal(file, engine)
        assert "cannot be loaded (" in message and message.endswith("): export or fetch it again")
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


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["bad_alloc/text.onnx", "alloc.onnx", "IR version.onnx", "opset.onnx"])
def test_a_path_says_nothing_of_an_error(engine: str, name: str, bands: Path, tmp_path: Path) -> None:
    """Not that memory ran out, and not that the file is of a newer format."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bands.read_bytes()[:1000])
    assert refusal(path, engine).endswith("): export or fetch it again")


def test_a_file_of_openvino_that_another_program_made(bands: Path, tmp_path: Path) -> None:
    path = tmp_path / "bands.xml"
    openvino.save_model(openvino_core().read_model(bands), path)
    text = path.read_text()
    start, end = text.index("<framework>"), text.index("</framework>") + len("</framework>")
    for framework in ('<framework value="x"/>', "<framework/>", ""):
        path.write_text(text[:start] + framework + text[end:])
        assert "was not made by `htdemucs-n export`" in refusal(path, "openvino")


def test_a_name_that_is_not_utf_8(bands: Path, tmp_path: Path) -> None:
    """ONNX Runtime takes no such name; OpenVINO opens the file."""
    path = tmp_path / os.fsdecode(b"m\xff.onnx")
    try:
        path.write_bytes(bands.read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("this system cannot hold such a name")
    assert refusal(path, "onnx").endswith("is not UTF-8): rename it, or use --engine openvino")
    mixture = noise(1, 2, 2048)
    expected = load(bands, "openvino").separate(mixture)
    np.testing.assert_array_equal(load(path, "openvino").separate(mixture), expected)
