"""Tempo, beats and key, on sounds of which they are known."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from service_helpers import JOBS, ended, service, submit

pytest.importorskip("librosa")

RATE = 44100
MAJOR, MINOR = (0, 4, 7), (0, 3, 7)


def tone(midi: float, seconds: float) -> np.ndarray:
    """A tone with overtones that fades."""
    time = np.arange(round(seconds * RATE)) / RATE
    frequency = 440 * 2 ** ((midi - 69) / 12)
    return sum(0.5**n * np.sin(2 * np.pi * n * frequency * time) for n in range(1, 5)) * np.exp(-2 * time)


def chords(degrees: list[tuple[int, tuple[int, ...]]], tonic: int, seconds: float) -> np.ndarray:
    """Chords one after the other, on semitones above a tonic."""
    return np.concatenate(
        [sum(tone(48 + tonic + degree + step, seconds) for step in chord) for degree, chord in degrees]
    )


def facts(client: Any, sound: np.ndarray) -> dict[str, Any]:
    file = io.BytesIO()
    soundfile.write(file, 0.5 * sound / max(1e-9, np.abs(sound).max()), RATE, format="WAV")
    job = ended(client, submit(client, file.getvalue()).json()["id"])
    answer = client.get(f"{JOBS}/{job['id']}/facts")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("tempo", [90, 128])
def test_the_tempo_of_clicks(tmp_path: Path, tempo: int) -> None:
    sound = np.zeros(20 * RATE)
    noise = np.random.default_rng(0).standard_normal(800) * np.exp(-np.arange(800) / 150)
    times = np.arange(0.25, 19.5, 60 / tempo)
    for time in times:
        sound[round(time * RATE) : round(time * RATE) + 800] += noise
    with service(tmp_path) as client:
        found = facts(client, sound)
    assert found["tempo"] == pytest.approx(tempo, rel=0.01)
    inner = np.array(found["beats"])[2:-2]
    assert np.abs(inner[:, None] - times).min(axis=1).max() < 0.03


@pytest.mark.parametrize(
    ("tonic", "minor", "degrees"),
    [
        ("D", False, [(0, MAJOR), (5, MAJOR), (7, MAJOR), (0, MAJOR)]),
        ("A", True, [(0, MINOR), (5, MINOR), (7, MAJOR), (0, MINOR)]),
        ("Eb", False, [(0, MAJOR), (9, MINOR), (5, MAJOR), (7, MAJOR)]),
    ],
)
def test_the_key_of_chords(tmp_path: Path, tonic: str, minor: bool, degrees: Any) -> None:
    number = {"D": 2, "A": 9, "Eb": 3}[tonic]
    with service(tmp_path) as client:
        found = facts(client, chords(2 * degrees, number, 1.0))
    assert (found["tonic"], found["minor"]) == (tonic, minor)


def test_silence_has_neither(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        found = facts(client, np.zeros(3 * RATE))
    assert found == {"tempo": None, "beats": [], "tonic": None, "minor": False}


def test_without_librosa_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("htdemucs_n.errors.find_spec", lambda name: None if name == "librosa" else object())
    with service(tmp_path) as client:
        job = ended(client, submit(client).json()["id"])["id"]
        answer = client.get(f"{JOBS}/{job}/facts")
        assert answer.status_code == 422 and 'pip install "htdemucs-n[studio]"' in answer.json()["detail"]


def test_parts_of_the_drums_do_not_count_in_the_key(tmp_path: Path) -> None:
    """Tuned toms, louder than the song, in a key far from it."""
    from htdemucs_n.service.analysis import find_facts  # needs librosa

    degrees = [(0, MAJOR), (5, MAJOR), (7, MAJOR), (0, MAJOR)]
    stems = {"other": 0.02 * chords(degrees, 0, 2.0), "toms": 0.2 * chords(degrees, 6, 2.0)}
    for name, samples in stems.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE)
    found = find_facts({name: tmp_path / f"{name}.wav" for name in stems})
    assert (found.tonic, found.minor) == ("C", False)
