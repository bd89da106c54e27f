"""`htdemucs-n data check` on a folder with one of every problem."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from htdemucs_n.audio import resample
from htdemucs_n.cli.main import main
from htdemucs_n.datasets.check import check
from training_helpers import SOURCES

RATE = 44100


def noise(seed: int, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """Stereo noise `(T, 2)` of peak 0.2."""
    return np.random.default_rng(seed).uniform(-0.2, 0.2, (round(seconds * rate), 2))


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A clean song of 3 seconds, and one with everything wrong."""
    folder = tmp_path / "songs"
    good, bad = folder / "good", folder / "bad"
    good.mkdir(parents=True)
    bad.mkdir()
    stems = {stem: noise(seed, 3.0) for seed, stem in enumerate(SOURCES)}
    for stem, samples in stems.items():
        soundfile.write(good / f"{stem}.flac", samples, RATE)
    soundfile.write(good / "mixture.wav", sum(stems.values()), RATE)

    clipped = noise(7)
    clipped[100:105, 0] = 1.0
    clipped[200:202, 1] = -1.0  # two are no run
    soundfile.write(bad / "drums.wav", clipped, RATE, subtype="FLOAT")
    soundfile.write(bad / "bass.ogg", 0.7 * stems["bass"], RATE)  # the same coded, and lower
    soundfile.write(bad / "other-1.wav", np.zeros((RATE, 2)), RATE)
    soundfile.write(bad / "other-2.wav", noise(8)[:, 0], 48000)
    muffled = resample(noise(9, rate=16000).T.astype(np.float32), 16000, RATE).T
    soundfile.write(bad / "vocals.wav", muffled, RATE)
    (bad / "vocals-2.wav").write_bytes(b"?")
    soundfile.write(bad / "kazoo.wav", noise(10), RATE)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "data", "check", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_one_of_everything(songs: Path) -> None:
    report = check(songs, SOURCES)
    assert (report.songs, report.files) == (2, 10)
    assert report.rates == {44100: 8, 48000: 1}
    minutes = {stem: value * 60 for stem, value in report.minutes.items()}
    assert minutes == pytest.approx({"drums": 4.0, "bass": 6.0, "other": 3 + 44100 / 48000, "vocals": 4.0}, abs=0.01)
    problems = {(problem.kind, problem.where): problem.detail for problem in report.problems}
    assert problems.keys() == {
        ("unreadable", "bad/vocals-2.wav"),
        ("unknown name", "bad/kazoo.wav"),
        ("clipping", "bad/drums.wav"),
        ("silent", "bad/other-1.wav"),
        ("mono", "bad/other-2.wav"),
        ("band-limited", "bad/vocals.wav"),
        ("rates", "bad"),
        ("lengths", "bad"),
        ("duplicate", "good/bass.flac"),
    }
    assert problems["clipping", "bad/drums.wav"] == "5 samples at full scale"
    assert "bad/bass.ogg" in problems["duplicate", "good/bass.flac"]
    assert report.unreadable == 1


@pytest.mark.parametrize(("gain", "level"), [(1.0, None), (0.95, None), (0.5, "-6.0"), (0.0, "0.0"), (-1.0, "6.0")])
def test_stems_that_do_not_add_up(tmp_path: Path, gain: float, level: str | None) -> None:
    """What is left of the mixture when the stems are `gain` of it: 20 log10(1 - gain) dB, reported above -20."""
    song = tmp_path / "songs" / "a"
    song.mkdir(parents=True)
    soundfile.write(song / "mixture.flac", noise(0), RATE)
    soundfile.write(song / "drums.flac", gain * noise(0), RATE)
    found = [problem.detail for problem in check(tmp_path / "songs", SOURCES).problems if problem.kind == "mixture"]
    assert found == ([] if level is None else [f"the stems miss the mixture by {level} dB of it"])


def test_as_a_person_types_it(songs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, str(songs)) == 1
    text, error = capsys.readouterr()
    assert text.startswith("2 songs, 10 files of stems\n")
    assert "1 of 10 files could not be read" in error
    assert "  48,000 Hz: 1 file\n" in text
    assert run(monkeypatch, str(songs), "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["songs"] == 2
    assert {"kind": "mono", "where": "bad/other-2.wav", "detail": "put on both channels"} in report["problems"]

    (songs / "bad" / "vocals-2.wav").unlink()
    assert run(monkeypatch, str(songs)) == 0, "a problem that is no failure"


def test_single_stems(songs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file at any depth is checked, whatever its name."""
    assert run(monkeypatch, str(songs), "--stem", "vocals", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["songs"], report["files"]) == (12, 12)
    kinds = {(problem["kind"], problem["where"]) for problem in report["problems"]}
    assert {("unreadable", "bad/vocals-2.wav"), ("mono", "bad/other-2.wav"), ("silent", "bad/other-1.wav")} <= kinds
    assert ("unknown name", "bad/kazoo.wav") not in kinds
    assert report["minutes"]["drums"] == 0
    assert run(monkeypatch, str(songs), "--stem", "vocal") == 2
    assert "did you mean 'vocals'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_no_songs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    folder = tmp_path / "songs"
    if kind == "empty":
        folder.mkdir()
    assert run(monkeypatch, str(folder)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert str(folder) in line


def test_stems_are_read_in_every_format_or_reported(tmp_path: Path) -> None:
    song = tmp_path / "songs" / "a"
    song.mkdir(parents=True)
    soundfile.write(song / "drums.wave", noise(1), RATE, format="WAV")
    soundfile.write(song / "bass.aifc", noise(2), RATE, format="AIFF")
    (song / "vocals.xyz").write_bytes(b"?")
    (song / "cover.bin").write_bytes(b"no stem has this name")
    (song / "drums.txt").write_text("no audio", encoding="utf-8")
    nothing = tmp_path / "songs" / "b"
    nothing.mkdir()
    soundfile.write(nothing / "Backing Track.wav", noise(3), RATE)
    report = check(tmp_path / "songs", SOURCES)
    assert {stem: seconds > 0 for stem, seconds in report.minutes.items()} == {
        "drums": True, "bass": True, "other": False, "vocals": False,
    }  # fmt: skip
    assert [(problem.kind, problem.where) for problem in report.problems] == [
        ("unknown format", "a/vocals.xyz"),
        ("unknown name", "b/Backing Track.wav"),
    ]
