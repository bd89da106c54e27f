"""The command `separate` with the weights in the package: what a user gets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.models.names import DEFAULT_MODEL

GOLDEN = Path(__file__).parents[1] / "models" / "golden" / f"{DEFAULT_MODEL}.json"


def separated(folder: Path, stems: dict[str, Tensor], *options: str) -> dict[str, Tensor]:
    """The files that the command writes for the sum of `stems`, `(2, T)` each at 44.1 kHz."""
    mixture = torch.stack(list(stems.values())).sum(dim=0)
    soundfile.write(folder / "song.wav", mixture.T.numpy(), 44100, subtype="FLOAT")
    command = [sys.executable, "-m", "htdemucs_n", "separate", "song.wav", "-d", "cpu", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written = folder / "separated" / DEFAULT_MODEL / "song"
    read = {file.stem: soundfile.read(file, dtype="float32") for file in written.glob("*.wav")}
    assert {rate for _, rate in read.values()} == {44100}
    return {stem: torch.from_numpy(samples.T) for stem, (samples, _) in read.items()}


def test_the_files_score_what_the_stored_stems_score(tmp_path: Path, demo_stems: dict[str, Tensor]) -> None:
    """Within 0.02 dB of the scores that `tests/models/test_shipped_model.py` stores."""
    estimates = separated(tmp_path, demo_stems, "--precision", "fp32")
    scores = {name: global_sdr(stem, estimates[name]).item() for name, stem in demo_stems.items()}
    assert scores == pytest.approx(json.loads(GOLDEN.read_text(encoding="utf-8")), abs=0.02)
    mixture = torch.stack(list(demo_stems.values())).sum(dim=0)
    torch.testing.assert_close(torch.stack(list(estimates.values())).sum(dim=0), mixture, atol=2e-4, rtol=0)


def test_two_stems_add_up_and_the_vocals_are_those_of_four(tmp_path: Path, demo_stems: dict[str, Tensor]) -> None:
    """The same command twice, with all stems and with the vocals and the rest, on two seconds of the song."""
    excerpt = {name: stem[:, 44100 * 4 : 44100 * 6] for name, stem in demo_stems.items()}
    for folder in ("four", "two"):
        (tmp_path / folder).mkdir()
    four = separated(tmp_path / "four", excerpt)
    two = separated(tmp_path / "two", excerpt, "--two-stems", "vocals")
    assert sorted(two) == ["no_vocals", "vocals"]
    assert torch.equal(two["vocals"], four["vocals"])
    others = four["drums"] + four["bass"] + four["other"]
    torch.testing.assert_close(two["no_vocals"], others, atol=1e-4, rtol=0)
