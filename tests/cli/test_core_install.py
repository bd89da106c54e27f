"""The command where only the core of the package is installed: what works, and what names the extra that it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from audio_helpers import tones
from htdemucs_n import __version__
from process_helpers import COMMAND, EXTRAS, without


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`htdemucs-n` with `arguments`, in `folder`."""
    code = without(EXTRAS) + COMMAND
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        ("average out.safetensors a.safetensors b.safetensors", "train"),
        ("evaluate songs", "evaluate"),
        ("evaluate songs --no-report --metrics global --stems stems", "evaluate"),
        ("export small -o small.onnx", "export"),
        ("export checkpoint.safetensors -o checkpoint.xml", "export"),
        ("profile", "torch"),
        ("profile --preset small --png profile.png", "torch"),
        ("separate song.wav --engine openvino", "openvino"),
        ("separate song.wav --precision bf16", "openvino"),
        ("separate song.wav -n model.xml", "openvino"),
        ("separate song.wav -n model.xml,bands", "openvino"),
        ("separate song.wav --engine torch", "torch"),
        ("separate song.wav -d cuda", "torch"),
        ("separate song.wav -n checkpoint.safetensors", "torch"),
        ("separate song.wav -n htdemucs", "official"),
        ("serve --library library", "studio"),
        ("studio --no-browser", "studio"),
        ("train dset.train=[songs]", "train"),
        ("transcribe song.wav", "transcribe"),
    ],
)
def test_a_verb_names_the_extra_that_it_needs(tmp_path: Path, arguments: str, extra: str) -> None:
    for name in ("song.wav", "checkpoint.safetensors", "model.xml"):
        (tmp_path / name).touch()
    before = set(tmp_path.rglob("*"))
    done = run(tmp_path, *arguments.split())
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(f'which is not installed: pip install "htdemucs-n[{extra}]"')
    assert (done.returncode, done.stdout) == (1, "")
    assert set(tmp_path.rglob("*")) == before


def test_the_models_are_listed(tmp_path: Path) -> None:
    done = run(tmp_path, "models", "--json")
    assert {"bands", "duo", "small"} <= {model["name"] for model in json.loads(done.stdout)["shipped"]}
    assert "bands (default)" in run(tmp_path, "models").stdout


def test_songs_are_checked(tmp_path: Path) -> None:
    (tmp_path / "songs" / "one").mkdir(parents=True)
    soundfile.write(tmp_path / "songs" / "one" / "drums.wav", tones((440, 15_000), 44_100, 0.5).T, 44_100)
    done = run(tmp_path, "data", "check", "songs")
    assert done.returncode == 0, done.stderr
    assert "1 song, 1 file of stems" in done.stdout


def test_the_demo_leaves_out_its_picture(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", "-n", "bands")
    assert done.returncode == 0, done.stderr
    (note,) = done.stderr.splitlines()
    assert note.startswith("note: the picture demo.png needs") and 'pip install "htdemucs-n[evaluate]"' in note
    assert (tmp_path / "demo" / "estimate" / "drums.wav").exists()


def test_an_unknown_model_is_named_whatever_is_installed(tmp_path: Path) -> None:
    done = run(tmp_path, "separate", "song.wav", "-n", "dou")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: unknown model 'dou': did you mean 'duo'?")


def test_every_public_name_of_the_library_can_be_imported(tmp_path: Path) -> None:
    code = without(EXTRAS) + "from htdemucs_n import *\nprint(Separator.__name__, __version__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"Separator {__version__}\n"


def test_the_library_names_the_extra_of_load_model(tmp_path: Path) -> None:
    code = without(EXTRAS) + "import htdemucs_n\nhtdemucs_n.Separator\nfrom htdemucs_n import load_model"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        'ImportError: load_model needs the package torch, which is not installed: pip install "htdemucs-n[torch]"'
    )
