"""Beats of clicks at known times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from htdemucs_n.transcription import transcribe
from htdemucs_n.transcription.beats import Beats
from transcription_helpers import clicks, played, stem


def beats_of(folder: Path, times: np.ndarray, seconds: float) -> Beats:
    stems = stem(folder, "drums", clicks(times, seconds))
    return transcribe(stems | stem(folder, "bass", np.zeros((1, 44100), np.float32))).beats


@pytest.mark.parametrize(("bpm", "first"), [(90.0, 0.0), (120.0, 0.3), (150.0, 1.1)])
def test_an_even_pulse(tmp_path: Path, bpm: float, first: float) -> None:
    times = first + 60 / bpm * np.arange(24)
    beats = beats_of(tmp_path, times, times[-1] + 1)
    assert 60 / np.diff(beats.times)[5] == pytest.approx(bpm, rel=0.002)
    assert beats.times[0] == 0.0
    nearest = np.abs(times[2:-2, None] - beats.times).min(axis=1)
    assert nearest.max() < 0.02


def test_a_tempo_that_changes(tmp_path: Path) -> None:
    times = 0.5 + np.cumsum(np.linspace(0.6, 0.45, 40))
    beats = beats_of(tmp_path, times, times[-1] + 1)
    nearest = np.abs(times[6:-6, None] - beats.times).min(axis=1)
    assert nearest.max() < 0.06
    assert np.diff(beats.times)[-8] < 0.9 * np.diff(beats.times)[8]


def test_no_beats_at_all(tmp_path: Path) -> None:
    beats = transcribe(stem(tmp_path, "vocals", np.zeros((1, 44100), np.float32))).beats
    assert beats.bpm == 120.0
    beats = transcribe(stem(tmp_path, "vocals", played([(0.1, 0.5, 60, 0.2)], 0.6))).beats
    assert beats.bpm == 120.0


def test_places_among_beats() -> None:
    beats = Beats(np.array([0.0, 0.5, 1.5]))
    assert [beats.place(time) for time in (0.0, 0.25, 0.5, 1.0, 1.5, 2.5)] == [0, 0.5, 1, 1.5, 2, 3]
    assert beats.bpm == 80.0
