"""`htdemucs-n info`: what is installed, as it is; a broken package is reported and does not end the command."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import htdemucs_n
from htdemucs_n.cli.main import main
from htdemucs_n.engines.installed import installed_engines
from process_helpers import COMMAND, EXTRAS, without


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What the command prints, in this process."""
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "info", *options])
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code
    return capsys.readouterr().out


def test_json_and_lines_say_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    report: dict[str, dict[str, Any]] = json.loads(printed(monkeypatch, capsys, "--json"))
    text = printed(monkeypatch, capsys)
    assert set(report) == {"program", "system", "packages", "engines", "caches", "environment"}
    assert report["program"]["htdemucs-n"] == htdemucs_n.__version__
    assert {"bands", "duo", "small"} <= set(report["program"]["models"])
    assert report["packages"]["numpy"] == version("numpy")
    assert report["engines"]["onnx"][0] == version("onnxruntime")
    assert "CPUExecutionProvider" in report["engines"]["onnx"]
    assert report["engines"]["auto takes"] == "onnx on cpu in fp32"
    for section, entries in report.items():
        assert section in text
        for name, value in entries.items():
            assert f"  {name}" in text and (value if isinstance(value, str) else value[0]) in text


def test_caches_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "htdemucs-n" / "openvino"
    assert json.loads(printed(monkeypatch, capsys, "--json"))["caches"] == {"folder": "~/cache/htdemucs-n"}
    folder.mkdir(parents=True)
    (folder / "network.blob").write_bytes(bytes(3 * 2**19))
    caches = json.loads(printed(monkeypatch, capsys, "--json"))["caches"]
    assert caches == {"folder": "~/cache/htdemucs-n", "openvino": "1.5 MiB"}


def test_a_broken_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    engines = {engine.name: engine for engine in installed_engines()}
    assert engines["onnx"].version == version("onnxruntime")
    assert (engines["onnx"].problem or "").startswith("ModuleNotFoundError: ")
    assert engines["torch"].problem is None and "cpu" in engines["torch"].devices


def test_it_works_with_the_core_alone(tmp_path: Path) -> None:
    code = without(EXTRAS) + COMMAND
    done = subprocess.run([sys.executable, "-c", code, "info"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "auto takes             onnx on cpu in fp32" in done.stdout
