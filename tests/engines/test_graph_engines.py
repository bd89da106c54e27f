"""Graphs in ONNX Runtime and OpenVINO against the networks in PyTorch."""

from __future__ import annotations

import locale
import re
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnx
import openvino
import pytest

from graph_helpers import exported, noise, stems_of, tiny_bands, tiny_hybrid
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.engines.engine import Engine
from htdemucs_n.engines.graph import GraphEngine, LoadedGraph
from htdemucs_n.errors import ModelError, OptionError, UserError
from htdemucs_n.models.graph_info import GraphInfo

ENGINES = ["onnx", "openvino"]

NETWORKS: dict[str, Any] = {
    "bands": tiny_bands,
    "bands with other windows": lambda: tiny_bands(n_ffts=(512, 4096), mask_n_fft=1024),
    "bands that do not add up": lambda: tiny_bands(
        band_mixer="attention", time_attention="softmax", mixture_consistency=False, use_train_segment=False
    ),
    "hybrid": tiny_hybrid,
    "hybrid that writes spectra": lambda: tiny_hybrid(spectral_head="mapping", n_ffts=(1024, 2048)),
    "hybrid without a spectral head": lambda: tiny_hybrid(spectral_head="none", attention="softmax", lstm_layers=1),
}

Files = dict[str, Path]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """An ONNX file of each network: the exporter takes seconds."""
    folder = tmp_path_factory.mktemp("graphs")
    return {kind: exported(network(), folder / f"{kind}.onnx") for kind, network in NETWORKS.items()}


@pytest.fixture
def bands(files: Files) -> Path:
    return files["bands"]


def load(name: str, *files: str | Path, **options: Any) -> Engine:
    options = {"precision": "fp32", "threads": 2} | options
    return load_engine(list(files), engine=name, **options)


@pytest.mark.parametrize("kind", NETWORKS)
def test_stems_are_those_of_pytorch(kind: str, files: Files) -> None:
    network = NETWORKS[kind]()
    for name in ENGINES:
        engine = load(name, files[kind])
        assert (engine.name, engine.sources, engine.samplerate) == (name, network.sources, network.samplerate)
        assert (engine.segment, engine.overlap) == (network.segment, network.overlap)
        for samples in (22_050, 9_999, 1):
            mixture = noise(2, 2, samples)
            np.testing.assert_allclose(engine.separate(mixture), stems_of(network, mixture), atol=1e-5)


@pytest.mark.parametrize("name", ENGINES)
def test_a_longer_or_shorter_segment(name: str, bands: Path) -> None:
    network = tiny_bands()
    for seconds in (0.2, 1.0):
        network.segment = seconds
        mixture = noise(1, 2, round(seconds * 44_100))
        engine = load(name, bands, segment=seconds)
        assert engine.segment == seconds
        np.testing.assert_allclose(engine.separate(mixture), stems_of(network, mixture), atol=1e-5)


@pytest.mark.parametrize("name", ENGINES)
def test_weighted_average_of_alike_and_unlike_graphs(name: str, files: Files) -> None:
    """The first file twice: its transforms are computed once, and its two masks averaged."""
    kinds = ("bands", "bands", "hybrid")
    mixture = noise(1, 2, 20_000)
    expected = sum(w * stems_of(NETWORKS[kind](), mixture) for w, kind in zip((0.5, 0.3, 0.2), kinds, strict=True))
    engine = load(name, *(files[kind] for kind in kinds), weights=[5, 3, 2])
    np.testing.assert_allclose(engine.separate(mixture), expected, atol=1e-5)


@pytest.mark.parametrize("name", ENGINES)
def test_the_same_bytes_twice(name: str, bands: Path) -> None:
    mixture = noise(1, 2, 22_050)
    engine = load(name, bands, precision="auto")
    assert engine.separate(mixture).tobytes() == engine.separate(mixture).tobytes()
    assert engine.separate(mixture).tobytes() == load(name, bands, precision="auto").separate(mixture).tobytes()


def test_openvino_leaves_the_locale_as_it_was(bands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of its threads can leave the locale C behind, in which Python reads text as ASCII."""
    before = locale.setlocale(locale.LC_ALL)
    if before == "C":
        pytest.skip("the locale is C already")
    monkeypatch.setattr("htdemucs_n.engines.openvino_engine.compiled_file", lambda *_: None)
    monkeypatch.setattr("htdemucs_n.engines.openvino_engine._compiled", lambda *_: locale.setlocale(locale.LC_ALL, "C"))
    try:
        load("openvino", bands)
        assert locale.setlocale(locale.LC_ALL) == before
    finally:
        locale.setlocale(locale.LC_ALL, before)


def test_bfloat16_is_near_float32(bands: Path) -> None:
    mixture = noise(1, 2, 22_050)
    quick = load("openvino", bands, precision="auto")
    full = load("openvino", bands).separate(mixture)
    error = np.sqrt(np.mean((quick.separate(mixture) - full) ** 2) / np.mean(full**2))
    assert error < (0.03 if quick.precision == "bf16" else 1e-5)


def test_a_cpu_that_says_wrongly_that_it_computes_in_bfloat16(bands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As OpenVINO says where ONEDNN_MAX_CPU_ISA allows fewer instructions than the CPU has."""
    compile_model = openvino.Core.compile_model

    def compiled(core: Any, network: Any, device: str, settings: dict[str, Any]) -> Any:
        if settings["INFERENCE_PRECISION_HINT"] == "bf16":
            raise RuntimeError("could not create a primitive descriptor for the matmul primitive")
        return compile_model(core, network, device, settings)

    monkeypatch.setattr("htdemucs_n.engines.openvino_engine.compiled_file", lambda *_: None)
    monkeypatch.setattr("openvino.Core.compile_model", compiled)
    engine = load("openvino", bands, precision="auto")
    assert engine.precision == "fp32"
    mixture = noise(1, 2, 22_050)
    assert np.array_equal(engine.separate(mixture), load("openvino", bands).separate(mixture))
    with pytest.raises(OptionError, match="this CPU does not compute in bf16: use --precision fp32 or auto"):
        load("openvino", bands, precision="bf16")


def test_auto_takes_a_graph_to_an_engine_for_graphs(bands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing: set[str] = set()
    monkeypatch.setattr("htdemucs_n.engines.choose.ON_THE_CPU", {"openvino": ("fp32", "bf16"), "onnx": ("fp32",)})
    monkeypatch.setattr("htdemucs_n.errors.find_spec", lambda name: None if name in missing else name)
    monkeypatch.setattr("htdemucs_n.engines.choose._has_gpu", lambda: False)
    assert load_engine(bands).name == "openvino"
    assert load_engine(bands, device="cpu", precision="fp32").name == "openvino"
    missing |= {"openvino"}
    assert load_engine(bands).name == "onnx"
    missing |= {"torch"}
    with pytest.raises(UserError, match=r"needs the package torch, which is not installed: .*htdemucs-n\[torch\]"):
        load_engine("checkpoint.safetensors")
    options: dict[str, str]
    for options in ({"engine": "openvino"}, {"precision": "bf16"}):
        with pytest.raises(UserError, match=r"htdemucs-n\[openvino\]"):
            load_engine("bands", **options)
    with pytest.raises(UserError, match=r"htdemucs-n\[torch\]"):
        load_engine("bands", precision="fp16")


def test_a_file_is_run_on_the_cpu_beside_a_gpu_too(bands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("htdemucs_n.engines.choose._has_gpu", lambda: True)
    assert load_engine(bands).name == "onnx"
    with pytest.raises(OptionError, match="the engine onnx computes in fp32"):
        load_engine(bands, precision="fp16")
    for options in ({"engine": "torch"}, {"device": "cuda"}):
        with pytest.raises(OptionError, match=r"bands\.onnx is run by the engines onnx and openvino, on the CPU"):
            load_engine(bands, **options)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"device": "cuda"}, "runs on the CPU: use --engine torch for the device cuda"),
        ({"precision": "fp16"}, "use --engine .*torch for fp16"),
    ],
)
def test_options_that_an_engine_does_not_take(name: str, options: Any, says: str, bands: Path) -> None:
    with pytest.raises(OptionError, match=says):
        load(name, bands, **options)


@pytest.mark.parametrize("name", ENGINES)
def test_files_that_are_no_models(name: str, bands: Path, tmp_path: Path) -> None:
    content = bands.read_bytes()
    cut, text, alien = tmp_path / "cut.onnx", tmp_path / "text.onnx", tmp_path / "alien.onnx"
    cut.write_bytes(content[: len(content) // 2])
    text.write_text("no model")
    alien.write_bytes(content.replace(b"htdemucs_n-graph", b"another-program!"))
    newer = tmp_path / "newer.onnx"
    newer.write_bytes(content.replace(b"\n\x07version\x12\x012", b"\n\x07version\x12\x019"))
    for file, says in ((cut, "cannot be loaded"), (text, "cannot be loaded"), (alien, "not made by"), (newer, "newer")):
        with pytest.raises(ModelError, match=rf"{file.name}.*{says}"):
            load(name, file)
    suffixes = {"onnx": r"\.onnx", "openvino": r"\.onnx or \.xml"}[name]
    with pytest.raises(ModelError, match=rf"no model at .*none\.onnx: give the path of an {suffixes} file"):
        load(name, tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="is not an ONNX file, so it needs the engine torch"):
        load(name, tmp_path / "checkpoint.safetensors")
    with pytest.raises(ModelError, match="unknown model 'bnds': did you mean 'bands'"):
        load(name, "bnds")


def test_memory_that_runs_out(bands: Path) -> None:
    """What ONNX Runtime and OpenVINO raise. Another error stays as it is."""
    info = GraphInfo.from_metadata({entry.key: entry.value for entry in onnx.load(bands).metadata_props}, "bands.onnx")
    for message, kind in (
        ("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 9", MemoryError),
        ("Exception from src/inference: std::bad_alloc", MemoryError),
        ("can't start new thread", MemoryError),
        ("Resource temporarily unavailable", MemoryError),
        ("libcpu.so: failed to map segment from shared object", MemoryError),
        ("[ONNXRuntimeError] : 2 : Got invalid dimensions for input", RuntimeError),
    ):
        run = mock.Mock(side_effect=RuntimeError(message))
        engine = GraphEngine("tiny", "fp32", [LoadedGraph(run, 1.0, info)], segment=0.5, threads=1)
        with pytest.raises(kind, match=re.escape(message)):
            engine.separate(noise(1, 2, 2048))


def test_models_with_other_stems_are_not_averaged(bands: Path, tmp_path: Path) -> None:
    """Whatever their weights."""
    second = tiny_bands(sources=("vocals", "rest"))
    other = exported(second, tmp_path / "two.onnx")
    models: dict[str, list[Any]] = {key: [bands, other] for key in ENGINES} | {"torch": [tiny_bands(), second]}
    for name, averaged in models.items():
        for weights in ([1, 1], [1, 0]):
            with pytest.raises(OptionError, match="same stems in the same order"):
                load_engine(averaged, engine=name, weights=weights)


def test_a_model_without_weight_has_a_say_in_the_segment_in_every_engine(bands: Path, tmp_path: Path) -> None:
    first, second = tiny_bands(), tiny_bands(seed=1, segment=0.25, overlap=0.125)
    other = exported(second, tmp_path / "other.onnx")
    mixture = noise(1, 2, 11_025)
    expected = stems_of(tiny_bands(segment=0.25), mixture)
    models: dict[str, list[Any]] = {key: [bands, other] for key in ENGINES} | {"torch": [first, second]}
    for name, averaged in models.items():
        engine = load_engine(averaged, engine=name, device="cpu", precision="fp32", weights=[1, 0])
        assert (engine.segment, engine.overlap) == (0.25, 0.125)
        np.testing.assert_allclose(engine.separate(mixture), expected, atol=1e-5)
