"""Compiled networks that OpenVINO finds again, against those that it compiles."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graph_helpers import noise, tiny_bands
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.engines.compiled_networks import KEPT_FILES, keep_compiled, read_compiled
from htdemucs_n.engines.engine import Engine
from htdemucs_n.engines.stft import Samples
from htdemucs_n.export.graph import network_graph
from htdemucs_n.export.onnx_file import export_onnx
from htdemucs_n.models.storage import save_model

MIXTURE = noise(1, 2, 22_050)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where compiled networks are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "htdemucs-n" / "openvino"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A graph whose weights lie beside it."""
    return graph_in(tmp_path / "models", seed=0)


def graph_in(folder: Path, seed: int) -> Path:
    """A graph in a folder with the random weights of `seed` in a file beside it."""
    folder.mkdir(exist_ok=True)
    network = tiny_bands(seed)
    save_model(folder / "weights.safetensors", network, {})
    export_onnx(folder / "graph.onnx", network_graph(network, {}), weights=folder / "weights.safetensors")
    return folder / "graph.onnx"


def load(*files: Path, **options: Any) -> Engine:
    return load_engine(list(files), **({"engine": "openvino", "precision": "fp32", "threads": 1} | options))


def stems(*files: Path, **options: Any) -> Samples:
    return load(*files, **options).separate(MIXTURE)


def stems_in_onnx(file: Path) -> Samples:
    return load(file, engine="onnx").separate(MIXTURE)


def test_the_second_start_compiles_nothing(graph: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(graph, graph, weights=[3, 1], precision="auto")
    expected = first.separate(MIXTURE)
    with monkeypatch.context() as patch:
        patch.setattr("openvino.Core.read_model", None)
        patch.setattr("openvino.Core.compile_model", None)
        second = load(graph, graph, weights=[3, 1], precision="auto", threads=2)
        for name in ("sources", "samplerate", "segment", "overlap", "precision"):
            assert getattr(second, name) == getattr(first, name)
        np.testing.assert_allclose(second.separate(MIXTURE), expected, atol=1e-6)
    assert len([*cache.iterdir()]) == 1


def test_another_model_or_setting_is_compiled_anew(graph: Path, cache: Path) -> None:
    engines = [load(graph), load(graph, segment=0.25), load(graph, precision="auto"), load(graph, graph)]
    assert [engine.segment for engine in engines] == [0.5, 0.25, 0.5, 0.5]
    assert len([*cache.iterdir()]) == 4


@pytest.mark.usefixtures("cache")
def test_new_weights_beside_an_old_graph_are_used(graph: Path) -> None:
    stems(graph)
    before = graph.stat()
    graph_in(graph.parent, seed=1)
    os.utime(graph, ns=(before.st_atime_ns, before.st_mtime_ns))
    np.testing.assert_allclose(stems(graph), stems_in_onnx(graph), atol=1e-5)


@pytest.mark.usefixtures("cache")
def test_new_weights_in_a_graph_are_used(tmp_path: Path) -> None:
    file = tmp_path / "graph.onnx"
    for seed in (0, 1):
        export_onnx(file, network_graph(tiny_bands(seed), {}))
        np.testing.assert_allclose(stems(file), stems_in_onnx(file), atol=1e-5)


@pytest.mark.parametrize("share", [0, 0.0001, 0.02, 0.5, 0.99])
def test_a_damaged_file_is_made_again(share: float, graph: Path, cache: Path) -> None:
    expected = stems(graph)
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: int(share * len(whole))])
    assert np.array_equal(stems(graph), expected)
    assert kept.read_bytes()[:8] == whole[:8]
    assert kept.stat().st_size == len(whole)


@pytest.mark.parametrize("place", [0, 7, 8, 40, 4096, 0.5, 0.9, -1])
def test_a_flipped_byte_is_never_used(place: float, graph: Path, cache: Path) -> None:
    """In the length, the header, the networks and the checksum: the networks are compiled and written anew."""
    expected = stems(graph)
    (kept,) = cache.iterdir()
    whole = bytearray(kept.read_bytes())
    whole[int(place * len(whole)) if 0 < place < 1 else int(place)] ^= 0x40
    kept.write_bytes(whole)
    assert read_compiled(kept) is None
    assert np.array_equal(stems(graph), expected)
    assert read_compiled(kept) is not None


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc"), ValueError("I/O on closed file")])
def test_works_where_there_is_no_memory_to_keep_networks(
    error: Exception, graph: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise error

    monkeypatch.setattr("openvino.CompiledModel.export_model", full)
    np.testing.assert_allclose(stems(graph), stems_in_onnx(graph), atol=1e-5)
    assert not [*cache.iterdir()]


def test_a_file_of_another_program_is_made_again(graph: Path, cache: Path) -> None:
    expected = stems(graph)
    (kept,) = cache.iterdir()
    for facts in ({}, [], {"precision": "fp32", "infos": [{}]}, {"precision": "fp8", "infos": []}):
        keep_compiled(kept, facts, [b"0123"])
        assert np.array_equal(stems(graph), expected)
    for text in (b"", bytes(8), b"\xff" * 9000, (2).to_bytes(8, "little") + b"[]"):
        kept.write_bytes(text)
        assert np.array_equal(stems(graph), expected)


def test_works_where_nothing_can_be_kept(graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    np.testing.assert_allclose(stems(graph), stems_in_onnx(graph), atol=1e-5)


def test_works_where_the_disk_is_full(graph: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("htdemucs_n.files.Path.replace", full)
    np.testing.assert_allclose(stems(graph), stems_in_onnx(graph), atol=1e-5)
    assert not [*cache.iterdir()]


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    networks = [b"a", bytes(range(256)) * 33, b"z" * 4096]
    keep_compiled(tmp_path / "file", {"key": "ü" * 5000}, networks)
    kept = read_compiled(tmp_path / "file")
    assert kept is not None
    assert kept.facts == {"key": "ü" * 5000}
    assert [network.tobytes() for network in kept.networks] == networks


def test_the_files_that_were_used_last_stay(tmp_path: Path) -> None:
    for number in range(KEPT_FILES + 3):
        keep_compiled(tmp_path / str(number), number, [])
        os.utime(tmp_path / str(number), (number, number))
        assert read_compiled(tmp_path / "0") is not None  # using a file keeps it
    newest = {"0", *(str(number) for number in range(4, KEPT_FILES + 3))}
    assert {file.name for file in tmp_path.iterdir()} == newest
