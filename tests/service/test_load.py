"""What the verbs `serve` and `studio` load for a job, beside the model that they began with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from htdemucs_n.cli.main import main


@pytest.mark.parametrize("verb", ["serve", "studio"])
def test_several_models_with_the_drum_kit(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The models that are averaged have one name, and are loaded as several."""
    served: list[Any] = []
    monkeypatch.setattr(
        "htdemucs_n.service.server.serve", lambda *given, **named: served.extend([*given, *named.values()])
    )
    arguments = ["htdemucs-n", verb, "-n", "bands,small", "--library", str(tmp_path), "--threads", "1"]
    arguments += ["--engine", "torch"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    load = served[-1]
    assert "bands,small" in served
    separator = load("bands,small", "onnx", True)
    assert separator.sources[:5] == ("drums", "bass", "other", "vocals", "drums/kick")
    assert separator.engine.name == "onnx"
    assert load("bands", "auto", False).engine.name == "torch"  # that of the server
