"""The first command of the README, run from a package that was installed as a user installs it: the core alone.

`.ci/run` installs it and names the folder of its commands in `HTDEMUCS_N_INSTALLED`. Without that variable the test is
skipped, because tests install nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from htdemucs_n.models.names import DEFAULT_MODEL
from process_helpers import COMMAND, EXTRAS, WITHOUT_NETWORK

README = Path(__file__).parents[2] / "README.md"
INSTALLED = os.environ.get("HTDEMUCS_N_INSTALLED")
PYTHON = Path(str(INSTALLED)) / "python"

pytestmark = pytest.mark.skipif(INSTALLED is None, reason="HTDEMUCS_N_INSTALLED names no installed package")


def run(command: str | list[str | Path], folder: Path, shell: bool = False) -> str:
    """What a command prints that runs in `folder`, where the commands of the installed package are found first."""
    environment = os.environ | {"PATH": f"{INSTALLED}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, shell=shell, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_command_of_the_readme_separates_a_song(tmp_path: Path, demo_stems: dict[str, Tensor]) -> None:
    """Stems of the length and rate of the song, that add up to it, each nearer to the truth than silence is."""
    command = re.search(
        r"^ {4}python -m pip install .* && (htdemucs-n separate song\.mp3)$", README.read_text(encoding="utf-8"), re.M
    )
    assert command is not None
    truth = torch.stack(list(demo_stems.values())).numpy()
    soundfile.write(tmp_path / "song.mp3", truth.sum(axis=0).T, 44100)
    mixture, rate = soundfile.read(tmp_path / "song.mp3")
    run(command[1], tmp_path, shell=True)
    folder = tmp_path / "separated" / DEFAULT_MODEL / "song"
    assert sorted(file.name for file in folder.iterdir() if not file.name.startswith(".")) == sorted(
        f"{stem}.wav" for stem in demo_stems
    )
    stems = {stem: soundfile.read(folder / f"{stem}.wav") for stem in demo_stems}
    assert {rate_of for _, rate_of in stems.values()} == {rate}
    np.testing.assert_allclose(sum(samples for samples, _ in stems.values()), mixture, atol=2e-4)
    for target, (samples, _) in zip(truth, stems.values(), strict=True):
        error = samples[: target.shape[1]].T - target[:, : len(samples)]
        assert np.square(error).sum() < np.square(target).sum()


def test_only_the_core_is_installed(tmp_path: Path) -> None:
    code = "import importlib.util, sys; print([name for name in sys.argv[1:] if importlib.util.find_spec(name)])"
    assert run([PYTHON, "-c", code, *EXTRAS], tmp_path) == "[]\n"


def test_a_separation_uses_no_network(tmp_path: Path, demo_stems: dict[str, Tensor]) -> None:
    soundfile.write(tmp_path / "song.mp3", demo_stems["drums"][:, :44_100].numpy().T, 44100)
    run([PYTHON, "-c", WITHOUT_NETWORK + COMMAND, "separate", "song.mp3"], tmp_path)
    assert (tmp_path / "separated" / DEFAULT_MODEL / "song" / "drums.wav").exists()


def test_the_readme_of_the_package_has_no_relative_links() -> None:
    """A package index shows it outside the repository. Every link of the README is still there."""
    code = "from importlib.metadata import metadata; print(metadata('htdemucs-n').get_payload())"
    links = re.findall(r"\]\(([^)]+)\)", run([PYTHON, "-c", code], README.parent / "docs"))
    assert len(links) == len(re.findall(r"\]\(([^)]+)\)", README.read_text(encoding="utf-8"))) > 10
    assert all(link.startswith("https://") for link in links)
