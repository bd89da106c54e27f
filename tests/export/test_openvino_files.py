"""The two files of OpenVINO are written together or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from graph_helpers import tiny_bands
from htdemucs_n.errors import OutputError
from htdemucs_n.export.graph import network_graph
from htdemucs_n.export.openvino_files import export_openvino


def test_a_disk_that_is_full_after_one_file_leaves_both_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the file that was asked for, and OpenVINO's own says nothing of the disk."""
    for suffix in (".xml", ".bin"):
        (tmp_path / f"model{suffix}").write_text("before")

    def fail_at_the_second(_: Any, path: Path, **__: Any) -> None:
        path.with_suffix(".bin").write_text("after")
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr("openvino.save_model", fail_at_the_second)
    message = f"cannot write '{tmp_path / 'model.xml'}' (No space left on device): make room"
    with pytest.raises(OutputError, match=re.escape(message)):
        export_openvino(tmp_path / "model.xml", network_graph(tiny_bands(), {}))
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "model.xml": "before",
        "model.bin": "before",
    }
