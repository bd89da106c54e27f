"""From models to the engine that runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from audio_helpers import SOURCES, SplitEngine
from htdemucs_n.engines.choose import ENGINES, load_engine
from htdemucs_n.engines.engine import Engine, memory_checked
from htdemucs_n.engines.torch_engine import TorchEngine
from htdemucs_n.errors import DeviceError, OptionError, UserError
from models_helpers import SplitNetwork


@pytest.mark.parametrize("name", ["auto", "torch"])
def test_a_network_of_torch_gets_the_engine_of_torch(name: str) -> None:
    engine = load_engine(SplitNetwork(), engine=name, device="cpu", precision="fp32")
    assert isinstance(engine, TorchEngine) and isinstance(engine, Engine)
    assert (engine.name, engine.device, engine.precision, engine.sources) == ("torch", "cpu", "fp32", SOURCES)
    assert (engine.samplerate, engine.segment, engine.overlap, engine.batch) == (44100, 0.1, 0.25, 1)


def test_an_engine_is_taken_as_it_is() -> None:
    engine = SplitEngine()
    assert load_engine(engine) is engine


@pytest.mark.parametrize("option", ["device", "precision", "segment", "weights", "threads", "engine"])
def test_an_engine_takes_no_options_of_models(option: str) -> None:
    value = {"segment": 2.0, "weights": [1.0], "threads": 1}.get(option, "cpu")
    with pytest.raises(OptionError, match="options of models"):
        load_engine(SplitEngine(), **{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        (None, {"engine": "onnx", "precision": "int8"}, "unknown precision 'int8': use auto, fp32, bf16, fp16"),
        (None, {"device": "gpu"}, "unknown device 'gpu': use auto, cpu, cuda, mps, xpu"),
        (SplitNetwork(), {"engine": "torhc"}, "unknown engine 'torhc': did you mean 'torch'"),
        (5, {}, "model is 5: give the name"),
        ([SplitNetwork(), 5], {}, "model is 5"),
        ([SplitEngine(), SplitEngine()], {}, "give the name"),
        ([], {}, "no model is named"),
        (SplitNetwork(), {"weights": [1.0, 2.0]}, "for each of 1 models"),
        (SplitNetwork(), {"threads": 0}, "threads is 0: give 1 to 1024"),
        (SplitNetwork(), {"segment": 0.05}, r"seconds from 0\.1 to 600"),
    ],
)
def test_what_cannot_be_loaded(model: object, options: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        load_engine(model, **options)  # type: ignore[arg-type]


def test_threads_reach_torch() -> None:
    before = torch.get_num_threads()
    try:
        load_engine(SplitNetwork(), device="cpu", threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_every_engine_has_a_loader_and_none_is_imported_before_it_is_used() -> None:
    code = "import sys, htdemucs_n.engines.choose\nprint([name for name in sys.modules if name.endswith('_engine')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert all(loader.startswith("htdemucs_n.engines.") for _, loader in ENGINES.values())


DAMAGED = {
    "onnxruntime": ("__init__.py", "raise ImportError('libcudart.so.12: cannot open shared object file')"),
    "openvino": ("libs/empty.py", ""),
    "torch": ("lib/empty.py", ""),
}
"""The only file of packages that are half there: one lacks a library, the others the file `__init__.py`."""

LOAD = """
import sys
from importlib.machinery import PathFinder
folder, engine, *damaged = sys.argv[1:]
class Damaged:
    def find_spec(name, *_):
        return PathFinder.find_spec(name, [folder]) if name in damaged else None
sys.meta_path.insert(0, Damaged)
from htdemucs_n.engines import choose
from htdemucs_n.errors import UserError
try:
    print(choose.load_engine("bands", engine=engine, device="cpu").name)
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("engine", "damaged", "printed"),
    [
        ("auto", ["openvino"], "onnx"),
        ("auto", ["openvino", "onnxruntime"], "torch"),
        ("auto", ["onnxruntime", "torch"], "openvino"),
        ("openvino", ["openvino"], "the engine openvino needs the package openvino, which is damaged (No module"),
        ("torch", ["torch"], "the engine torch needs the package torch, which is damaged ("),
        ("onnx", ["onnxruntime"], "the engine onnx needs the package onnxruntime, which is damaged (libcudart.so.12: "),
        ("auto", [*DAMAGED], "the engine openvino needs the package openvino, which is damaged ("),
    ],
)
def test_a_damaged_package(engine: str, damaged: list[str], printed: str, tmp_path: Path) -> None:
    """`auto` takes the next engine; one that is named says how its package is mended."""
    for package in damaged:
        name, text = DAMAGED[package]
        (tmp_path / package / name).parent.mkdir(parents=True)
        (tmp_path / package / name).write_text(text)
    command = [sys.executable, "-c", LOAD, str(tmp_path), engine, *damaged]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    mend = f"): pip install --force-reinstall {ENGINES[engine if engine != 'auto' else 'openvino'][0]}"
    assert line.startswith(printed) and (line in ENGINES or line.endswith(mend))


@pytest.mark.parametrize(
    ("engine", "precision", "missing", "mend"),
    [
        ("onnx", "auto", ["onnxruntime"], "pip install onnxruntime"),
        ("auto", "auto", ["onnxruntime", "openvino", "torch"], "pip install onnxruntime"),
        ("auto", "bf16", ["onnxruntime", "openvino", "torch"], 'pip install "htdemucs-n[openvino]"'),
    ],
)
def test_a_missing_package(
    engine: str, precision: str, missing: list[str], mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `auto` finds no engine, it names the one that every installation has, if that takes the precision."""
    monkeypatch.setattr("htdemucs_n.engines.choose.ON_THE_CPU", {"openvino": ("fp32", "bf16"), "onnx": ("fp32",)})
    for package in missing:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError) as caught:
        load_engine("bands", engine=engine, device="cpu", precision=precision)
    assert str(caught.value).endswith(f", which is not installed: {mend}")


def caused_by(error: Exception, cause: Exception) -> Exception:
    """The error as `raise error from cause` leaves it."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        ImportError("a.so: failed to map segment"),
        ImportError("InputModel: PyType_Ready failed: MemoryError: <EMPTY MESSAGE>"),
        SystemError("<class 'openvino.Core'> returned NULL without setting an exception"),
        SystemError("error return without exception set"),
        ImportError("BackwardGraphRewrite: Unable to create type object!"),
        caused_by(ImportError("initialization failed"), MemoryError()),
        OSError(12, ""),
    ],
    ids=repr,
)
def test_memory_that_runs_out(error: Exception) -> None:
    with pytest.raises(DeviceError, match="end other programs"), memory_checked("end other programs"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        OptionError("alloc.wav is no song"),
        OSError(2, "none", "alloc.wav"),
        ValueError("a"),
        caused_by(ImportError("initialization failed"), KeyError("a")),
    ],
)
def test_another_error_is_none_of_memory(error: Exception) -> None:
    with pytest.raises(type(error), match=re.escape(str(error))), memory_checked("end other programs"):
        raise error
