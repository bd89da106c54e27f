"""What `docs/separate.md` shows is run: every command around a model with known stems, the Python code as it stands."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
import typer

from audio_helpers import SplitModel, encode, tones
from htdemucs_n.audio import write_wav
from htdemucs_n.cli.main import app, main

PAGE = (Path(__file__).parents[2] / "docs" / "separate.md").read_text(encoding="utf-8")
COMMANDS = [line.strip() for line in re.findall(r"^    (htdemucs-n .*)$", PAGE, re.MULTILINE)]
CODE = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def songs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    samples = tones((440, 660), 44100, 0.3)
    write_wav("song.wav", samples, 44100)
    write_wav("album/cd 1/a.wav", samples, 44100)
    write_wav("album/b.wav", samples, 44100)
    write_wav("a.flac", samples, 44100)  # what a file is does not depend on its name
    encode(Path("song.mp3"), samples, 44100, "libmp3lame")
    encode(Path("b.m4a"), samples, 44100, "aac")
    encode(Path("concert.mp4"), samples, 44100, "aac", video=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr("htdemucs_n.models.registry.load_model", lambda *_: SplitModel())
    monkeypatch.setattr("torch.set_num_threads", lambda _: None)
    monkeypatch.setattr(sys, "argv", shlex.split(command, comments=True))
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code


def test_every_option_has_its_line_and_an_example() -> None:
    shown = " ".join(COMMANDS + re.findall(r"\| htdemucs-n .*", PAGE))
    verb = typer.main.get_command(app).commands["separate"]  # type: ignore[attr-defined]
    options = [option for option in verb.params if option.param_type_name == "option" and option.name != "help"]
    assert len(options) > 20
    for option in options:
        for name in (name for name in option.opts + option.secondary_opts if name.startswith("--")):
            assert f"`{name}`" in PAGE, name
        assert any(re.search(rf"{re.escape(name)}\b", shown) for name in option.opts + option.secondary_opts), (
            option.opts
        )


@pytest.mark.parametrize("code", CODE)
def test_the_code(code: str) -> None:
    exec(compile(code, "docs/separate.md", "exec"), {"__name__": "page"})
    if "karaoke" in code:
        assert {path.name for path in Path("karaoke").iterdir()} == {"vocals.flac", "no_vocals.flac"}


def test_the_latency_that_the_page_names() -> None:
    assert "88201" in PAGE
    from htdemucs_n import Separator

    assert Separator(SplitModel(), segment=2.0).latency(44100) == 88201


def test_there_is_something_to_run() -> None:
    assert len(COMMANDS) > 30 and len(CODE) >= 6
