"""The two files of OpenVINO are written together or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from graph_helpers import tiny_bands
from htdemucs_n.errors import OutputError
from htdemucs_n.export.graph import network_graph
from htdemucs_n.export.openvino_files import export_openvino


def test_a_disk_that_is_full_after_one_file_leaves_both_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix in (".xml", ".bin"):
        (tmp_path / f"model{suffix}").write_text("before")
    write, written = Path.write_bytes, []

    def fail_at_the_second(path: Path, content: bytes) -> int:
        if path.parent == tmp_path:
            written.append(path)
            if len(written) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fail_at_the_second)
    with pytest.raises(OutputError, match="No space left on device"):
        export_openvino(tmp_path / "model.xml", network_graph(tiny_bands(), {}))
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "model.xml": "before",
        "model.bin": "before",
    }
