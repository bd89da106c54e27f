"""What `docs/profile.md` shows: commands are run around stand-ins for what measures, Python code as it stands."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from htdemucs_n.cli.main import app, main
from htdemucs_n.profiling.attention import AttentionMeasurement
from htdemucs_n.profiling.cost import Cost
from htdemucs_n.profiling.lengths import LengthMeasurement
from htdemucs_n.profiling.passes import PassMeasurement, Settings
from htdemucs_n.profiling.profile import Profile
from htdemucs_n.profiling.profiled_model import ProfiledModel
from models_helpers import tiny_model

PAGE = (Path(__file__).parents[2] / "docs" / "profile.md").read_text(encoding="utf-8")
COMMANDS = [line.strip() for line in re.findall(r"^    (htdemucs-n .*)$", PAGE, re.MULTILINE)]
CODE = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

FIGURES = PassMeasurement(1.0, [1.0], {"transformer": 1.0}, 300.0, 400.0, None)


def measured(model: ProfiledModel, settings: Settings, repeats: int) -> Profile:
    assert settings.batch in (None, 8) and repeats in (5, 9)
    cost = Cost({"transformer": 10}, {"transformer": 100}, 50)
    return Profile(model.title, "cpu", "fp32", settings.segment or 7.8, 1, cost, FIGURES, 5.0)


def by_length(model: ProfiledModel, _: Settings, lengths: list[float], *__: Any) -> list[LengthMeasurement]:
    return [LengthMeasurement(model.title, length, length / 10, 500.0, None) for length in lengths]


def by_tokens(_: Settings, tokens: list[int], *__: Any) -> list[AttentionMeasurement]:
    return [AttentionMeasurement("linear", number, number / 1e5, 50.0) for number in tokens]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("htdemucs_n.profiling.passes.Settings.separator", lambda *_: None)
    monkeypatch.setattr("htdemucs_n.profiling.measurements.profile_model", measured)
    monkeypatch.setattr("htdemucs_n.profiling.measurements.measure_lengths", by_length)
    monkeypatch.setattr("htdemucs_n.profiling.measurements.measure_attention", by_tokens)
    monkeypatch.setattr(sys, "argv", shlex.split(command, comments=True))
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code
    assert {path.name for path in tmp_path.iterdir()} == (
        {"profile.json", "profile.png"} if "--png" in command else set()
    )


def test_every_option_has_its_line_and_an_example() -> None:
    verb = typer.main.get_command(app).commands["profile"]  # type: ignore[attr-defined]
    options = [option for option in verb.params if option.name != "help"]
    assert len(options) >= 12
    for option in options:
        assert all(f"`{name}`" in PAGE for name in option.opts), option.opts
        assert any(re.search(rf"{re.escape(name)}\b", " ".join(COMMANDS)) for name in option.opts), option.opts


@pytest.mark.parametrize("code", CODE)
def test_the_code(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr("htdemucs_n.load_model", lambda _: tiny_model().eval(), raising=False)
    exec(compile(code, "docs/profile.md", "exec"), {"__name__": "page"})


def test_there_is_something_to_run() -> None:
    assert len(COMMANDS) > 8 and CODE
