"""How the program of the studio starts, without building it."""

from __future__ import annotations

import importlib.util
import socket
import sys
from types import ModuleType

import pytest

from docs_helpers import ROOT


@pytest.fixture
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("studio_program", ROOT / "app" / "studio.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_port_in_use_is_left_to_others(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setattr(program, "PORT", other.getsockname()[1])
        assert program.free_port() == 0
    assert program.free_port() == program.PORT


@pytest.mark.parametrize(("code", "terminal", "waits"), [(1, True, True), (1, False, False), (0, True, False)])
def test_a_message_can_be_read_before_the_window_closes(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, code: int, terminal: bool, waits: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sys, "argv", ["program", "--no-browser"])
    monkeypatch.setattr("builtins.input", asked.append)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: terminal, raising=False)

    def fail() -> None:
        assert sys.argv[:3] == ["htdemucs-n", "studio", "--port"] and sys.argv[4:] == ["--no-browser"]
        sys.exit(code)

    monkeypatch.setattr(program, "main", fail)
    with pytest.raises(SystemExit):
        program.run()
    assert bool(asked) == waits
