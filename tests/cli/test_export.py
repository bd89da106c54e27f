"""`htdemucs-n export`: files that separate to the stems of PyTorch, what is printed, and bad input."""

from __future__ import annotations

import copy
import errno
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from graph_helpers import noise, stems_of, tiny_bands
from htdemucs_n.cli.main import main
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.export.graph import Graph
from htdemucs_n.export.onnx_file import traced
from htdemucs_n.models.graph_info import GraphInfo
from htdemucs_n.models.storage import load_saved_model, save_model

FACTS = {"licence": "CC BY 4.0", "sdr": {"vocals": 5.0}, "continued_from": "not for the graph"}

EXPORTS = {
    "half.onnx": (),
    "single.onnx": ("--float32",),
    "beside.onnx": ("--beside",),
    "half.xml": (),
    "SINGLE.XML": ("--float32",),
}
"""The files that the tests export, with their options."""

Export = Callable[..., tuple[int, str, str]]


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """The exit status of `htdemucs-n export`, and what it printed to standard output and to standard error."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), pytest.raises(SystemExit) as caught:
        warnings.simplefilter("error")  # what the exporter has to say is not for users
        patch.setattr(sys, "argv", ["htdemucs-n", "export", *map(str, arguments)])
        main()
    printed = capsys.readouterr()
    return int(caught.value.code or 0), printed.out, printed.err


@pytest.fixture
def export(capsys: pytest.CaptureFixture[str]) -> Export:
    return lambda *arguments: run(capsys, *arguments)


@pytest.fixture(scope="module")
def traced_once() -> Iterator[None]:
    """The exporter takes seconds, so it traces the network of `folder` once for all tests that ask for this."""
    kept: list[onnx.ModelProto] = []

    def trace(graph: Graph) -> onnx.ModelProto:
        if not kept:
            kept.append(traced(graph))
        return copy.deepcopy(kept[0])

    with pytest.MonkeyPatch.context() as patch:
        for user in ("onnx_file", "openvino_files"):
            patch.setattr(f"htdemucs_n.export.{user}.traced", trace)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, traced_once: None) -> Path:
    """A folder with a checkpoint in half precision, to which `exported` adds."""
    path = tmp_path_factory.mktemp("models")
    save_model(path / "tiny.safetensors", tiny_bands(), FACTS, torch.float16)
    return path


@pytest.fixture
def exported(folder: Path, export: Export) -> Callable[[str], tuple[Path, str]]:
    """Makes a file of `EXPORTS`, the first time that it is asked for; gives it and what the command printed."""

    def get(name: str) -> tuple[Path, str]:
        printed = folder / f"{name}.txt"
        if not printed.exists():
            status, out, err = export(folder / "tiny.safetensors", "-o", folder / name, *EXPORTS[name])
            assert (status, err) == (0, "")
            printed.write_text(out, encoding="utf-8")
        return folder / name, printed.read_text(encoding="utf-8")

    return get


@pytest.mark.parametrize("name", EXPORTS)
def test_the_files_separate_to_the_stems_of_pytorch(
    name: str, folder: Path, exported: Callable[[str], tuple[Path, str]]
) -> None:
    """The checkpoint is in half precision already, so that no export rounds its weights."""
    file, _ = exported(name)
    network, _ = load_saved_model(folder / "tiny.safetensors")
    mixture = noise(1, 2, 22_050)
    for engine in ("onnx", "openvino") if file.suffix == ".onnx" else ("openvino",):
        loaded = load_engine(file, engine=engine, precision="fp32", threads=2)
        assert (loaded.name, loaded.sources, loaded.segment) == (engine, network.sources, 0.5)
        np.testing.assert_allclose(loaded.separate(mixture), stems_of(network, mixture), atol=1e-5)


def test_the_sizes_are_those_of_the_precision(exported: Callable[[str], tuple[Path, str]]) -> None:
    weights = sum(weight.numel() for weight in tiny_bands().parameters())
    size = {name: exported(name)[0].stat().st_size for name in ("half.onnx", "single.onnx", "beside.onnx")}
    assert size["single.onnx"] - size["half.onnx"] == pytest.approx(2 * weights, rel=0.01)
    assert size["half.onnx"] - size["beside.onnx"] == pytest.approx(2 * weights, rel=0.2)


def test_what_is_printed(exported: Callable[[str], tuple[Path, str]]) -> None:
    for name in EXPORTS:
        file, printed = exported(name)
        files = [file, *([file.with_suffix(".bin")] if file.suffix.lower() == ".xml" else [])]
        expected = f"{file}: {sum(part.stat().st_size for part in files) / 2**20:.1f} MiB"
        if name.startswith("half"):  # the weights are in half precision already, so that nothing is lost
            expected += ", 0.000 dB lost on the demo song by half precision"
        assert printed == expected + "\n"


def test_the_file_says_where_the_weights_come_from(exported: Callable[[str], tuple[Path, str]]) -> None:
    stored = {entry.key: entry.value for entry in onnx.load(exported("half.onnx")[0]).metadata_props}
    facts = GraphInfo.from_metadata(stored, "half.onnx").facts
    assert facts == {"name": "tiny", "licence": "CC BY 4.0", "sdr": {"vocals": 5.0}, "half_precision_cost_db": 0.0}


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["tiny.safetensors", "-o", "model.pt"], 2, "--out model.pt: give a name that ends in .onnx or .xml"),
        (["tiny.safetensors", "-o", "a.xml", "--beside"], 2, "--beside writes an .onnx file"),
        (["tiny.safetensors", "-o", "a.onnx", "--beside", "--float32"], 2, "keep the precision of the checkpoint"),
        (["tiny.safetensors", "-o", "b/a.onnx", "--beside"], 2, "has to be in the folder of the checkpoint 'tiny.safe"),
        (["bands", "-o", "bands.onnx", "--beside"], 2, "has to be in the folder of the checkpoint"),
        (["half.onnx", "-o", "a.onnx"], 2, "half.onnx is exported already: separate with it"),
        (["bnds", "-o", "a.onnx"], 1, "unknown model 'bnds': did you mean 'bands'?"),
        (["duo", "-o", "a.onnx"], 1, "duo is the mean of bands and small: name one of these"),
        (["none.safetensors", "-o", "a.onnx"], 1, "no checkpoint at none.safetensors"),
        (["song.wav", "-o", "a.onnx"], 1, "song.wav is not a readable safetensors checkpoint"),
        (["old.th", "-o", "a.onnx"], 1, "add --trust-checkpoint"),
        (["tiny.safetensors", "-o", "song.wav/a.onnx"], 1, "cannot make the folder 'song.wav'"),
        (["tiny.safetensors", "-o", "folder.onnx"], 2, "--out folder.onnx is a folder: give the name of a file"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(
    arguments: list[str],
    status: int,
    says: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    export: Export,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("htdemucs_n.export.half_precision.half_precision_cost", lambda _: None)
    shutil.copy(folder / "tiny.safetensors", "tiny.safetensors")
    Path("song.wav").write_bytes(b"RIFF")
    Path("old.th").touch()
    Path("folder.onnx").mkdir()
    before = sorted(tmp_path.rglob("*"))
    code, out, err = export(*arguments)
    assert (code, out) == (status, "")
    assert err.startswith("error: ") and says in err and err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_written_is_named_before_the_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export: Export
) -> None:
    def refused(dir: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(dir))

    monkeypatch.setattr("htdemucs_n.files.tempfile.TemporaryFile", refused)
    monkeypatch.setattr("htdemucs_n.export.half_precision.half_precision_cost", lambda _: pytest.fail("work has begun"))
    code, _, err = export(folder / "tiny.safetensors", "-o", tmp_path / "a.onnx")
    message = f"cannot write '{tmp_path / 'a.onnx'}' (Permission denied): make room, make the folder writable"
    assert code == 1 and err == f"error: {message}, or choose another\n"


@pytest.mark.parametrize(
    ("package", "suffix", "extra"),
    [
        ("torch", "onnx", "export"),
        ("onnx", "onnx", "export"),
        ("onnxscript", "xml", "export"),
        ("openvino", "xml", "openvino"),
    ],
)
def test_a_missing_package_is_named_before_the_work(
    package: str, suffix: str, extra: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export: Export
) -> None:
    monkeypatch.setattr("htdemucs_n.export.graph_of.graph_of", lambda *_: pytest.fail("work has begun"))
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = export(folder / "tiny.safetensors", "-o", tmp_path / f"a.{suffix}")
    assert code == 1
    assert err == (
        f"error: export to .{suffix} needs the package {package}, which is not installed: "
        f'pip install "htdemucs-n[{extra}]"\n'
    )
