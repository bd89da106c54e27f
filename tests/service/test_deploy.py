"""The files for systems: their commands are those of this version."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from docs_helpers import ROOT
from htdemucs_n.cli.main import app

OPTIONS: set[str] = {
    name
    for option in typer.main.get_command(app).commands["serve"].params  # type: ignore[attr-defined]
    for name in option.opts
}


def commands() -> list[Any]:
    unit = (ROOT / "deploy" / "htdemucs-n.service").read_text(encoding="utf-8")
    container = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
    start = re.search(r"^ExecStart=(.*)$", unit, re.M)
    entry = re.search(r"^ENTRYPOINT (.*)$", container, re.M)
    assert start and entry
    return [shlex.split(start[1]), json.loads(entry[1])]


@pytest.mark.parametrize("command", commands())
def test_the_command_is_one_of_this_version(command: list[str]) -> None:
    assert Path(command[0]).name == "htdemucs-n" and command[1] == "serve"
    assert {word for word in command if word.startswith("-")} <= OPTIONS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze checks units")
def test_the_unit_is_valid(tmp_path: Path) -> None:
    unit = (ROOT / "deploy" / "htdemucs-n.service").read_text(encoding="utf-8")
    (tmp_path / "htdemucs-n.service").write_text(unit.replace("/opt/htdemucs-n/bin/htdemucs-n", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "htdemucs-n.service")], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
