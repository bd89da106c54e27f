"""What the pages show is run: Python code as it stands, commands around stand-ins, or at least parsed."""

from __future__ import annotations

import doctest
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from torch import Tensor

from audio_helpers import SplitEngine, encode, tones, use_engine
from docs_helpers import ROOT, Page, pages
from htdemucs_n.audio import write_wav
from htdemucs_n.cli.compose import compose_values
from htdemucs_n.cli.main import app, main
from htdemucs_n.profiling.attention import AttentionMeasurement
from htdemucs_n.profiling.cost import Cost
from htdemucs_n.profiling.lengths import LengthMeasurement
from htdemucs_n.profiling.passes import PassMeasurement, Settings
from htdemucs_n.profiling.profile import Profile
from htdemucs_n.profiling.profiled_model import ProfiledModel
from htdemucs_n.training.config import TrainConfig
from models_helpers import tiny_model
from song_maker.cli import app as song_maker

PAGES = [page for page in pages() if page.name != "CHANGELOG.md"]
VERBS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


USAGE_ERROR: Any = typer.BadParameter.__base__
"""What the command line raises for any wrong command."""


def unique(items: list[tuple[Page, Any]]) -> list[Any]:
    """Parameters of a test, each once, with the page that has it first in its name."""
    seen: dict[str, tuple[Page, Any]] = {}
    for page, item in items:
        seen.setdefault(repr(item), (page, item))
    return [pytest.param(item, id=f"{page.name}-{number}") for number, (page, item) in enumerate(seen.values())]


OLD_RUNS = "docs/lab/training-of-duo.md"
"""Holds the commands of earlier versions, whose keys had other names."""

COMMANDS = [(page, command) for page in PAGES if page.name != OLD_RUNS for command in page.commands()]
MENTIONS = [(page, command) for page in PAGES for command in page.mentions()]


def parsed(command: list[str]) -> Any:
    """The context of the verb that the real command line makes of a command, which is not run."""
    program: Any = typer.main.get_command(app if command[0] == "htdemucs-n" else song_maker)
    arguments = command[1:]
    while hasattr(program, "commands"):
        context = program.context_class(program, resilient_parsing=True, **program.context_settings)
        program.parse_args(context, arguments)
        if not (words := [*context._protected_args, *context.args]):
            return context  # it has only options of the program itself
        _, program, arguments = program.resolve_command(program.context_class(program), words)
    return program.make_context(program.name, arguments)


@pytest.mark.parametrize("command", unique(COMMANDS))
def test_a_command_is_understood(command: list[str]) -> None:
    context = parsed(command)
    if command[1] in ("train", "average"):  # their keys are checked by Hydra
        keys = [key for key in [*context.args, *context.params.get("weights", [])] if "=" in key]
        values = compose_values("n_train", keys)
        assert TrainConfig.from_dict(values).dset.train or values["misc"]["show"]


@pytest.mark.parametrize("command", unique(MENTIONS))
def test_a_mentioned_command_has_no_unknown_option(command: list[str]) -> None:
    try:
        parsed(command)
    except USAGE_ERROR as error:  # a mention may leave arguments out
        assert "No such" not in error.format_message()


def cheap(verbs: tuple[str, ...]) -> list[Any]:
    """The commands of a verb, as parameters."""
    return unique([(page, command) for page, command in COMMANDS if len(command) > 1 and command[1] in verbs])


def run(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    """Run a command in this process; it must succeed."""
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code


@pytest.fixture
def songs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, demo_stems: dict[str, Tensor]) -> None:
    """A working folder with the files that the pages name."""
    monkeypatch.chdir(tmp_path)
    samples = tones((440, 660), 44100, 0.3)
    for name in ("song.wav", "drums.wav", "album/cd 1/a.wav", "album/b.wav", "a.flac", "song 6.wav"):
        write_wav(name, samples, 44100)  # what a file is does not depend on its name
    Path("song 6.wav").rename("song 6.mp3")
    encode(Path("song.mp3"), samples, 44100, "libmp3lame")
    encode(Path("b.m4a"), samples, 44100, "aac")
    encode(Path("concert.mp4"), samples, 44100, "aac", video=True)
    for folder in ("songs", "held_out"):
        for stem, track in demo_stems.items():
            write_wav(f"{folder}/one/{stem}.wav", track[:, 88200:176400].numpy(), 44100)


@pytest.mark.usefixtures("songs")
@pytest.mark.parametrize("command", cheap(("separate", "models")))
def test_separate(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    use_engine(monkeypatch, SplitEngine())
    with Path("song.wav").open() as piped:
        monkeypatch.setattr("sys.stdin", piped)
        run(monkeypatch, command)


FIGURES = PassMeasurement(1.0, [1.0], {"transformer": 1.0}, 300.0, 400.0, None)


def measured(model: ProfiledModel, settings: Settings, repeats: int) -> Profile:
    assert settings.batch in (None, 8) and repeats in (5, 9)
    cost = Cost({"transformer": 10}, {"transformer": 100}, 50)
    return Profile(model.title, "cpu", "fp32", settings.segment or 7.8, 1, cost, FIGURES, 5.0)


def by_length(model: ProfiledModel, _: Settings, lengths: list[float], *__: Any) -> list[LengthMeasurement]:
    return [LengthMeasurement(model.title, length, length / 10, 500.0, None) for length in lengths]


def by_tokens(_: Settings, tokens: list[int], *__: Any) -> list[AttentionMeasurement]:
    return [AttentionMeasurement("linear", number, number / 1e5, 50.0) for number in tokens]


@pytest.mark.parametrize("command", cheap(("profile",)))
def test_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("htdemucs_n.profiling.passes.Settings.separator", lambda *_: None)
    monkeypatch.setattr("htdemucs_n.profiling.measurements.profile_model", measured)
    monkeypatch.setattr("htdemucs_n.profiling.measurements.measure_lengths", by_length)
    monkeypatch.setattr("htdemucs_n.profiling.measurements.measure_attention", by_tokens)
    run(monkeypatch, command)
    assert {path.name for path in tmp_path.iterdir()} == (
        {"profile.json", "profile.png"} if "--png" in command else set()
    )


@pytest.mark.usefixtures("songs")
@pytest.mark.parametrize("code", unique([(page, code) for page in PAGES for code in page.python()]))
def test_python_code(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    if "load_model" in code or "evaluate" in code:
        monkeypatch.setattr("htdemucs_n.models.registry.load_model", lambda *_: tiny_model().eval())
    monkeypatch.setattr("htdemucs_n.training.solver.build_network", lambda _: tiny_model())
    monkeypatch.setattr("htdemucs_n.training.solver.Solver.train", lambda _: 0.0)
    exec(compile(code, "page", "exec"), {"__name__": "page"})
    if "karaoke" in code:
        assert {path.name for path in Path("karaoke").iterdir()} == {"vocals.flac", "no_vocals.flac"}
    if "runs/n_train" in code:
        assert Path("runs/n_train").is_dir()


def modules_with_doctests() -> list[str]:
    """The modules of the packages whose docstrings hold examples."""
    files = [file for file in ROOT.glob("src/**/*.py") if re.search(r"^\s*>>> ", file.read_text("utf-8"), re.MULTILINE)]
    names = [file.relative_to(ROOT / "src").with_suffix("").as_posix().replace("/", ".") for file in files]
    return sorted(name.removesuffix(".__init__") for name in names)


@pytest.mark.usefixtures("songs")
@pytest.mark.parametrize("name", modules_with_doctests())
def test_doctests(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed


@pytest.mark.parametrize("verb", ["separate", "serve", "studio", "transcribe", "profile", "evaluate"])
def test_every_option_has_its_line_and_an_example(verb: str) -> None:
    page = Page(ROOT / "docs" / f"{'service' if verb == 'serve' else verb}.md")
    table = "\n".join(line for _, line in page.prose() if line[:1] == "|")
    shown = page.text.replace(table, "")
    options = [option for option in VERBS[verb].params if option.param_type_name == "option" and option.name != "help"]
    assert len(options) > 6
    for option in options:
        names = [*option.opts, *option.secondary_opts]
        assert all(f"`{name}`" in table for name in names), names
        assert verb == "evaluate" or any(re.search(rf"{re.escape(name)}\b", shown) for name in names), names


def test_the_latency_that_the_page_names() -> None:
    from htdemucs_n import Separator

    assert "88201" in Page(ROOT / "docs/separate.md").text
    assert Separator(SplitEngine(segment=2.0)).latency(44100) == 88201


def test_there_is_something_to_run() -> None:
    assert len(COMMANDS) > 80 and len(MENTIONS) > 3
    assert sum(len(page.python()) for page in PAGES) >= 11
    assert modules_with_doctests()
