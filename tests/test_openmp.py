"""OpenMP settings: what the command sets, and right stems whatever the environment variables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from audio_helpers import tones
from htdemucs_n.errors import UserError
from htdemucs_n.models.storage import save_model
from htdemucs_n.openmp import check_openmp, configure_openmp
from models_helpers import tiny_model

VARIABLES = ("OMP_DYNAMIC", "OMP_MAX_ACTIVE_LEVELS", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_WAIT_POLICY")


def run(code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process whose environment holds no other OpenMP settings than `variables`."""
    environment = {key: value for key, value in os.environ.items() if key not in (*VARIABLES, "GOMP_SPINCOUNT")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment | variables, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"GOMP_SPINCOUNT": "1000"}),
        ({"GOMP_SPINCOUNT": "5"}, {"GOMP_SPINCOUNT": "5"}),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
        ({"OMP_DYNAMIC": "TRUE"}, {"OMP_DYNAMIC": "false", "GOMP_SPINCOUNT": "1000"}),
        ({"OMP_DYNAMIC": "false"}, {"OMP_DYNAMIC": "false", "GOMP_SPINCOUNT": "1000"}),
        (
            {"OMP_THREAD_LIMIT": "2", "OMP_NUM_THREADS": "8,4"},
            {"OMP_THREAD_LIMIT": "2", "OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "1000"},
        ),
        (
            {"OMP_THREAD_LIMIT": "8", "OMP_NUM_THREADS": "2"},
            {"OMP_THREAD_LIMIT": "8", "OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "1000"},
        ),
        (
            {"OMP_MAX_ACTIVE_LEVELS": "0"},
            {"OMP_MAX_ACTIVE_LEVELS": "0", "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "1000"},
        ),
    ],
)
def test_what_the_command_sets(before: dict[str, str], after: dict[str, str]) -> None:
    environment = dict(before)
    configure_openmp(environment)
    assert environment == after


def test_the_command_sets_it_before_torch_is_loaded() -> None:
    done = run(
        "import os, sys, htdemucs_n.cli.main as cli\n"
        "cli.app = lambda: print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])\n"
        "cli.main()"
    )
    assert done.stdout.split() == ["False", "1000"], done.stderr


def test_importing_the_library_changes_no_environment() -> None:
    done = run(
        "import os\nbefore = dict(os.environ)\n"
        "from htdemucs_n import Separator, load_model\n"
        "assert dict(os.environ) == before"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("threads", "variables", "named"),
    [
        (2, {"OMP_DYNAMIC": "true"}, "OMP_DYNAMIC"),
        (4, {"OMP_THREAD_LIMIT": "3"}, "OMP_THREAD_LIMIT=3"),
        (2, {"OMP_MAX_ACTIVE_LEVELS": "0"}, "OMP_MAX_ACTIVE_LEVELS=0"),
        (1, {"OMP_DYNAMIC": "true", "OMP_THREAD_LIMIT": "1"}, None),
        (3, {"OMP_THREAD_LIMIT": "3", "OMP_DYNAMIC": "false"}, None),
        (2, {}, None),
    ],
)
def test_settings_that_give_wrong_results_are_refused(
    threads: int, variables: dict[str, str], named: str | None
) -> None:
    if named is None:
        check_openmp(threads, variables)
        return
    with pytest.raises(UserError, match=named):
        check_openmp(threads, variables)


def test_the_separator_refuses_them_on_a_cpu() -> None:
    code = "from htdemucs_n import Separator; Separator(engine='torch', device='cpu', threads=2)"
    done = run(code, OMP_DYNAMIC="true")
    assert "OMP_DYNAMIC=true" in done.stderr.splitlines()[-1]


def test_the_stems_are_the_same_whatever_the_settings(tmp_path: Path) -> None:
    """With these settings OpenMP starts one thread where PyTorch asks for two."""
    save_model(tmp_path / "tiny.safetensors", tiny_model(), {})
    soundfile.write(tmp_path / "song.wav", tones((440, 1000), 44100, 1.0).T, 44100)
    code = "from htdemucs_n.cli.main import main; main()"
    for name, variables in {
        "plain": {},
        "dynamic": {"OMP_DYNAMIC": "true"},
        "limited": {"OMP_THREAD_LIMIT": "1"},
    }.items():
        arguments = ["separate", f"{tmp_path}/song.wav", "-n", f"{tmp_path}/tiny.safetensors", "-d", "cpu"]
        done = run(code, *arguments, "-o", f"{tmp_path}/{name}", "--float32", **variables)
        assert done.returncode == 0, done.stderr
    for stem in ("drums", "bass", "other", "vocals"):
        plain, dynamic, limited = (
            soundfile.read(tmp_path / name / "tiny" / "song" / f"{stem}.wav")[0]
            for name in ("plain", "dynamic", "limited")
        )
        assert abs(dynamic - plain).max() < 1e-5
        assert abs(limited - plain).max() < 1e-5
