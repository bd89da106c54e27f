"""Drums as a model leaves them: the parts add up to what it separated, and share its errors where they sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_helpers import SplitEngine, use_engine
from htdemucs_n.errors import UserError
from song_maker.cli import drums
from song_maker.drum_kits import ElectronicKit
from song_maker.drum_recording import DrumRecorder
from song_maker.effects import RATE
from song_maker.groove import GrooveSet
from song_maker.kit_list import KitSource
from song_maker.separated_drums import SeparatedDrumRecorder, shared_out
from song_maker_helpers import groove_zip

MACHINE = KitSource("machine", "none", 1.0, lambda rng, tuning: ElectronicKit(np.random.default_rng(3)), True)
TIME = np.arange(RATE) / RATE


def tone(frequency: float) -> np.ndarray:
    return np.stack([np.sin(2 * np.pi * frequency * TIME)] * 2)


def test_an_error_goes_to_the_part_that_sounds_there() -> None:
    parts = {"kick": tone(60), "hihat": 0.1 * tone(8000)}
    whole = 0.5 * parts["kick"] + parts["hihat"]
    shared = shared_out(parts, whole)
    np.testing.assert_allclose(sum(shared.values()), whole, atol=1e-9)
    middle = slice(4096, -4096)
    np.testing.assert_allclose(shared["kick"][:, middle], 0.5 * parts["kick"][:, middle], atol=2e-3)
    np.testing.assert_allclose(shared["hihat"][:, middle], parts["hihat"][:, middle], atol=2e-3)


def test_what_no_part_has_is_shared_equally() -> None:
    parts = {"kick": np.zeros((2, RATE)), "snare": np.zeros((2, RATE))}
    shared = shared_out(parts, tone(440))
    np.testing.assert_allclose(shared["kick"], tone(440) / 2, atol=1e-9)
    np.testing.assert_allclose(shared["snare"], tone(440) / 2, atol=1e-9)


def songs(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for stem in ("drums", "bass", "vocals"):
        (folder / "one").mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / "one" / f"{stem}.wav", 0.1 * rng.standard_normal((6 * RATE, 2)), RATE)
    return folder


def test_a_recording_behind_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in gives a tenth of the mixture as drums: a tenth of the recording, and a tenth of the other stems."""
    use_engine(monkeypatch, SplitEngine())
    recorder = DrumRecorder(GrooveSet(groove_zip(tmp_path / "g.zip")), [MACHINE])
    behind = SeparatedDrumRecorder(recorder, songs(tmp_path / "songs"), "duo")
    alone, parts, again = recorder.make(1, 0, 3.0), behind.make(1, 0, 3.0), behind.make(1, 0, 3.0)
    assert alone.keys() == parts.keys() and all(np.array_equal(parts[name], again[name]) for name in parts)
    whole, drums_alone = sum(parts.values()), sum(alone.values())
    gain = np.vdot(whole, drums_alone) / np.vdot(drums_alone, drums_alone)
    assert 0.02 < gain <= 0.101  # the mixture is scaled down where it is over full scale
    rest = whole - gain * drums_alone
    assert 0.01 < np.sum(rest**2) / np.sum((gain * drums_alone) ** 2) < 30  # others at 2 dB, +-4 dB, over the drums


def test_wrong_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_engine(monkeypatch, SplitEngine())
    recorder = DrumRecorder(GrooveSet(groove_zip(tmp_path / "g.zip")), [MACHINE])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no folders with the stems of songs"):
        SeparatedDrumRecorder(recorder, tmp_path / "empty", "duo")
    (tmp_path / "songs/low").mkdir(parents=True)
    soundfile.write(tmp_path / "songs/low/bass.wav", np.zeros((48000, 2)), 16000)
    with pytest.raises(UserError, match=r"bass.wav' has a rate of 16000 Hz: convert it to 44100 Hz"):
        SeparatedDrumRecorder(recorder, tmp_path / "songs", "duo").make(1, 0, 2.0)
    with pytest.raises(UserError, match="--behind and --songs belong together"):
        drums(tmp_path / "out", groove_zip(tmp_path / "g.zip"), behind="duo")


def test_a_model_without_drums_and_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = DrumRecorder(GrooveSet(groove_zip(tmp_path / "g.zip")), [MACHINE])
    engine = SplitEngine()
    engine.sources = ("vocals", "piano", "guitar", "bass")
    use_engine(monkeypatch, engine)
    with pytest.raises(UserError, match="vocals, piano, guitar, bass"):
        SeparatedDrumRecorder(recorder, songs(tmp_path / "songs"), "pianos")
    use_engine(monkeypatch, SplitEngine())
    (tmp_path / "broken/one").mkdir(parents=True)
    (tmp_path / "broken/one/bass.wav").write_text("no audio", encoding="utf-8")
    with pytest.raises(UserError, match=r"bass.wav"):
        SeparatedDrumRecorder(recorder, tmp_path / "broken", "duo").make(1, 0, 2.0)


@pytest.mark.parametrize("name", ["Drums", "mixture"])
def test_files_with_the_drums_are_no_other_stems(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_engine(monkeypatch, SplitEngine())
    recorder = DrumRecorder(GrooveSet(groove_zip(tmp_path / "g.zip")), [MACHINE])
    parts = SeparatedDrumRecorder(recorder, songs(tmp_path / "songs"), "duo").make(1, 0, 3.0)
    loud = np.random.default_rng(5).standard_normal((6 * RATE, 2))
    soundfile.write(tmp_path / "songs/one" / f"{name}.wav", 0.2 * loud, RATE)
    same = SeparatedDrumRecorder(recorder, tmp_path / "songs", "duo").make(1, 0, 3.0)
    assert all(np.array_equal(parts[part], same[part]) for part in parts)
