"""The verb `transcribe`: stems and songs in, one MIDI file each out, one line for what goes wrong."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import mido
import numpy as np
import pytest

from audio_helpers import SplitEngine, use_engine
from htdemucs_n.cli.main import main
from htdemucs_n.separation.drum_kit import DRUM_KIT
from htdemucs_n.separation.names import Track
from htdemucs_n.transcription.drum_hits import PIECES
from htdemucs_n.transcription.songs import find_songs, stem_files
from transcription_helpers import RATE, played, stem

LINE = played([(0.3, 0.8, 45, 0.2), (1.0, 1.6, 52, 0.2)], 2.0)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "transcribe", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code or 0
    assert isinstance(code, int)
    return code


def pitches(file: Path, track: str) -> list[int]:
    (found,) = [one for one in mido.MidiFile(file).tracks if one.name == track]
    return [message.note for message in found if message.type == "note_on"]


@pytest.fixture
def song(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the stems of a song, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("htdemucs_n.transcription.polyphony.find_spec", lambda _: None)  # as where it is not installed
    folder = Path("song")
    folder.mkdir()
    stem(folder, "bass", LINE)
    stem(folder, "drums", np.zeros((2, 2 * RATE), np.float32))
    stem(folder, "other", LINE)
    return folder


def test_a_folder_of_stems(song: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, song, "-o", "out") == 0
    out, err = capsys.readouterr()
    assert err == ""
    first, *notes = out.splitlines()
    assert first.startswith(f"song -> {Path('out/song.mid')} (bass: 2 notes, ")
    assert notes == [
        "  note: the stem other is not transcribed: it has several notes at a time, which needs the package "
        "basic-pitch (pip install basic-pitch)",
    ]
    assert pitches(Path("out/song.mid"), "bass") == [45, 52]
    assert [path.name for path in Path("out").iterdir()] == ["song.mid"]


def test_a_song_is_separated_first(
    song: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = SplitEngine()
    use_engine(monkeypatch, engine)
    (song / "bass.wav").rename("take.wav")
    assert run(monkeypatch, "take.wav", "-o", "out") == 0
    assert engine.lengths  # its stems are the song, each with its gain
    assert pitches(Path("out/take.mid"), "bass") == pitches(Path("out/take.mid"), "vocals") == [45, 52]
    assert "bass: 2 notes, vocals: 2 notes" in capsys.readouterr().out


def test_drums_are_taken_apart_with_the_options_of_the_command(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the model is loaded once for all songs."""
    kit = SplitEngine((0.3, 0.25, 0.2, 0.15, 0.1))
    kit.sources = tuple(PIECES)
    asked: list[tuple[object, object]] = []

    def load(model: object, engine: str, threads: int | None, **_: object) -> SplitEngine:
        assert model == DRUM_KIT
        asked.append((engine, threads))
        return kit

    monkeypatch.setattr("htdemucs_n.separation.separator.load_engine", load)
    shutil.copytree(song, "again")
    assert run(monkeypatch, song, "again", "-o", "out", "--engine", "torch", "--threads", "1") == 0
    assert asked == [("torch", 1)]


def test_existing_files_are_kept(
    song: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out").mkdir()
    Path("out/song.mid").write_bytes(b"mine")
    assert run(monkeypatch, song, "-o", "out") == 0
    assert "it exists and is kept (--force replaces it)" in capsys.readouterr().out
    assert Path("out/song.mid").read_bytes() == b"mine"
    assert run(monkeypatch, song, "-o", "out", "--force") == 0
    assert pitches(Path("out/song.mid"), "bass") == [45, 52]


def test_failures_are_one_line_each_and_stop_nothing(
    song: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_engine(monkeypatch, SplitEngine())
    Path("text.wav").write_text("no audio at all", encoding="utf-8")
    Path("only").mkdir()
    Path("only/bass.wav").write_text("no audio either", encoding="utf-8")
    assert run(monkeypatch, "missing.wav", "text.wav", "only", song, "-o", "out") == 1
    out, err = capsys.readouterr()
    assert "song ->" in out
    assert [line.split(":")[0] for line in err.splitlines()] == ["error"] * 3
    assert "'missing.wav' does not exist" in err and "'text.wav'" in err and str(Path("only/bass.wav")) in err
    assert [path.name for path in Path("out").iterdir()] == ["song.mid"]


BASIC_PITCH = """
import logging
logging.warning("Tensorflow is not installed.")
ICASSP_2022_MODEL_PATH = "model"
"""
INFERENCE = """
from pathlib import Path

def predict(path, model):
    print("Predicting MIDI")
    assert (Path(path), model) == (Path("song/other.wav"), "model")
    if Path("broken").exists():
        raise RuntimeError("no\\nkernel")
    return {}, None, [(0.5, 1.0, 64, 0.5, None), (0.5, 1.0, 60, 1.0, [0, 1])]
"""


def test_a_file_in_place_of_the_folder_is_named_before_the_work(
    song: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out").touch()
    assert run(monkeypatch, song, "-o", "out") == 2
    assert capsys.readouterr().err == "error: --out out: this is a file: give a folder\n"


@pytest.fixture
def basic_pitch(song: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with the interface of basic-pitch, in this test alone."""
    package = Path("site/basic_pitch")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(BASIC_PITCH, encoding="utf-8")
    (package / "inference.py").write_text(INFERENCE, encoding="utf-8")
    names = ("basic_pitch", "basic_pitch.inference")
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    monkeypatch.syspath_prepend(str(Path("site").absolute()))
    monkeypatch.setattr("htdemucs_n.transcription.polyphony.find_spec", find_spec)
    yield
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(before)


@pytest.mark.usefixtures("basic_pitch")
def test_chords_by_basic_pitch(song: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its events are the notes of the part, and what it says is not shown."""
    assert run(monkeypatch, song, "-o", "out") == 0
    out, err = capsys.readouterr()
    assert "other: 2 notes" in out and "Predicting" not in out and "basic-pitch" not in out and not err
    (track,) = [track for track in mido.MidiFile("out/song.mid").tracks if track.name == "other"]
    assert [(m.note, m.velocity) for m in track if m.type == "note_on"] == [(60, 127), (64, 64)]

    Path("broken").touch()
    assert run(monkeypatch, song, "-o", "out", "--force") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: basic-pitch cannot transcribe") and "(no kernel)" in line


def test_folders_of_stems_among_songs(tmp_path: Path) -> None:
    for name in ("b/Bass.WAV", "b/vocals.flac", "b/notes.txt", "a.mp3", "deep/er/bass.wav", "deep/er/take 2.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [track for track in find_songs([tmp_path, tmp_path / "b"], tmp_path / "out") if isinstance(track, Track)]
    assert [(track.path.relative_to(tmp_path).as_posix(), track.name) for track in found] == [
        ("a.mp3", "a"), ("b", "b"), ("deep/er", "deep/er"), ("b", "b"),
    ]  # fmt: skip
    assert set(stem_files(tmp_path / "b")) == {"bass", "vocals"}
