"""`htdemucs-n profile` on a tiny model: tables, files, and bad input in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from htdemucs_n.cli.main import main
from htdemucs_n.models.storage import save_model
from models_helpers import tiny_model


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(Path("tiny.safetensors"), tiny_model(), {})


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "profile", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["-d", "cpu", "--precision", "fp32", "--batch", "2", "--repeats", "1", "--lengths", "0.7"]
    files = ["--json", "out/a.json", "--png", "out/a.png"]
    assert run(monkeypatch, "-n", "tiny.safetensors", *options, *files) == 0
    out = capsys.readouterr().out
    for shown in ("transformer", "FFTs (by 2.5 N log2 N)", "times real time", "by length of the song", "-> out/a.png"):
        assert shown in out
    record = json.loads(Path("out/a.json").read_text(encoding="utf-8"))
    (profile,) = record["profiles"]
    assert record["command"].startswith("htdemucs-n profile -n tiny.safetensors -d cpu")
    assert set(profile) == {
        "model", "device", "precision", "segment", "batch", "cost", "figures", "real_time_factor",
    }  # fmt: skip
    assert set(profile["cost"]) == {"parameters", "flops", "fft_flops"}
    assert set(profile["figures"]) == {
        "seconds", "all_seconds", "seconds_by_part", "loaded_mib", "peak_rss_mib", "gpu_mib",
    }  # fmt: skip
    assert len(record["lengths"]) == 1
    assert Path("out/a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--preset", "smal"], "unknown preset 'smal': did you mean 'small'?"),
        (["--preset", "small", "--against", "offical"], "unknown preset 'offical': did you mean 'official'?"),
        (["-n", "tiny.safetensors", "--preset", "small"], "give --name or --preset, not both"),
        (["-n", "nowhere.safetensors"], "no checkpoint at nowhere.safetensors"),
        (["-n", "tiny.safetensors", "-d", "cuda:77"], "device 'cuda:77' is not available here"),
        (["-n", "tiny.safetensors", "-d", "cpu", "--precision", "int8"], "unknown precision 'int8'"),
        (["-n", "tiny.safetensors", "-d", "cpu", "--segment", "-1"], "segment is -1"),
        (["-n", "tiny.safetensors", "-d", "cpu", "--batch", "0"], "batch is 0"),
        (["--lengths", "30,x"], "--lengths 30,x: it takes numbers above 0"),
        (["--lengths", "0"], "--lengths 0: it takes numbers above 0"),
        (["--tokens", "nan"], "--tokens nan: it takes numbers above 0"),
    ],
)
def test_bad_input_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert run(monkeypatch, *arguments) == (1 if line.startswith(("no checkpoint", "device")) else 2)
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"error: {line}") and err.count("\n") == 1


def test_without_the_official_extra_one_line_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in [key for key in sys.modules if key.split(".")[0] == "demucs"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "demucs", None)
    assert run(monkeypatch, "-n", "tiny.safetensors", "-d", "cpu", "--against", "official") == 1
    err = capsys.readouterr().err
    assert 'pip install "htdemucs-n[official]"' in err and err.count("\n") == 1


@pytest.mark.usefixtures("without_matplotlib")
def test_without_matplotlib_a_picture_is_refused_before_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "-n", "tiny.safetensors", "--png", "a.png") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --png needs") and line.endswith('install "htdemucs-n[evaluate]"')


def test_a_file_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").touch()
    assert run(monkeypatch, "-n", "tiny.safetensors", "-d", "cpu", "--repeats", "1", "--json", "file/a.json") == 1
    assert capsys.readouterr().err.startswith("error: cannot write 'file/a.json'")


def test_profiling_needs_neither_the_training_nor_the_evaluation_stack() -> None:
    import subprocess

    code = (
        "import sys, htdemucs_n.profiling.tables, htdemucs_n.profiling.picture\n"
        "print([name for name in ('hydra', 'museval', 'tensorboard', 'matplotlib', 'demucs') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
