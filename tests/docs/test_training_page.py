"""What `docs/training.md` shows: every command gives a configuration, and the Python code builds its own."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from htdemucs_n.cli.compose import compose_config, compose_values
from htdemucs_n.training.config import TrainConfig

PAGES = ["README.md", "docs/quickstart.md", "docs/training.md", "docs/lab/band-network.md"]
ROOT = Path(__file__).parents[2]


def commands(page: str, verb: str) -> list[str]:
    """The arguments of every `htdemucs-n train` (or `average`) in the code of a page, continued lines joined."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(rf"^    (?:htdemucs-n|torchrun .* -m htdemucs_n) {verb} (.*)$", text, re.MULTILINE)


TRAINING = [(page, command) for page in PAGES for command in commands(page, "train")]


@pytest.mark.parametrize(("page", "command"), TRAINING)
def test_a_training_command(page: str, command: str) -> None:
    words = shlex.split(command, comments=True)
    arguments = [word for word in words if word != "misc.device=cuda:1"]  # this machine may have no second GPU
    config = compose_config("n_train", arguments)
    assert config.dset.train or config.misc.show


def test_the_keys_of_the_teacher() -> None:
    text = (ROOT / "docs/lab/band-network.md").read_text(encoding="utf-8").replace("\\\n", " ")
    (keys,) = re.findall(r"^    (distill\.teacher=.*)$", text, re.MULTILINE)
    config = TrainConfig.from_dict(compose_values("n_train", shlex.split(keys)))
    assert (config.distill.teacher, config.distill.share) == ("spleeter-2stems", 0.25)


def test_the_average_takes_keys_of_training() -> None:
    (command,) = commands("docs/training.md", "average")
    keys = [word for word in shlex.split(command) if "=" in word]
    assert compose_config("n_train", keys).dset.train == ("songs",)


def test_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/training.md").read_text(encoding="utf-8"), re.DOTALL)
    seen: list[TrainConfig] = []

    class Solver:
        def __init__(self, config: TrainConfig, bank: str, valid: str) -> None:
            seen.append(config)

        def restore(self) -> None: ...

        def train(self) -> None: ...

    monkeypatch.setattr("htdemucs_n.training.data.load_data", lambda _: ("bank", "valid"))
    monkeypatch.setattr("htdemucs_n.training.solver.Solver", Solver)
    exec(compile(code, "docs/training.md", "exec"), {"__name__": "page"})
    assert seen[0].dset.train == ("songs",)


def test_every_section_has_its_row() -> None:
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    for section in compose_values("n_train", []):
        assert re.search(rf"^\|.*`{section}`.*\|", text, re.MULTILINE), section


def test_there_are_commands() -> None:
    assert len(TRAINING) > 10
