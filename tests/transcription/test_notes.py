"""Signals of known pitch and times become the notes that they are."""

from __future__ import annotations

import itertools
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from numpy.typing import NDArray

from htdemucs_n.audio import write_wav
from htdemucs_n.errors import AudioError, Cancelled
from htdemucs_n.transcription import Note, transcribe
from htdemucs_n.transcription.features import PitchTrack
from htdemucs_n.transcription.pieces import FRAME, MARGIN, PIECE, mono_pieces
from htdemucs_n.transcription.pieces import RATE as PIECE_RATE
from htdemucs_n.transcription.segment import find_notes
from transcription_helpers import RATE, clicks, played, sound, stem


def notes(folder: Path, name: str, samples: NDArray[np.float32]) -> list[Note]:
    """What is found in a stem."""
    (part,) = transcribe(stem(folder, name, samples)).parts
    assert part.name == name
    return list(part.notes)


def pitch_at(found: list[Note], time: float) -> float | None:
    """The pitch that is heard at a time when notes are played with their bends; None in silence."""
    for note in found:
        if note.start <= time < note.end:
            return note.pitch + [bend for start, bend in note.bends if start <= time][-1]
    return None


@pytest.mark.parametrize(("name", "low"), [("bass", 28), ("bass", 45), ("vocals", 48), ("vocals", 76)])
def test_known_notes(tmp_path: Path, name: str, low: int) -> None:
    line = [(0.5, 1.0, low, 0.2), (1.0, 1.4, low + 2, 0.2), (1.9, 2.2, low + 7, 0.2), (2.5, 3.5, low, 0.2)]
    found = notes(tmp_path, name, played(line, 4.0))
    assert [note.pitch for note in found] == [pitch for *_, pitch, _ in line]
    for note, (start, end, *_) in zip(found, line, strict=True):
        assert note.start == pytest.approx(start, abs=0.03)
        assert note.end == pytest.approx(end, abs=0.06)
        assert max((abs(bend) for time, bend in note.bends if start + 0.06 < time < end - 0.06), default=0.0) <= 0.21


def test_a_note_that_is_struck_again(tmp_path: Path) -> None:
    line = [(0.5 + 0.25 * n, 0.73 + 0.25 * n, 40, 0.2) for n in range(8)]
    found = notes(tmp_path, "bass", played(line, 3.0))
    assert [note.pitch for note in found] == [40] * 8
    assert np.abs(np.subtract([note.start for note in found], [start for start, *_ in line])).max() < 0.03


def test_velocity_follows_the_level(tmp_path: Path) -> None:
    levels = [0.4, 0.2, 0.05]
    found = notes(tmp_path, "bass", played([(0.5 + n, 1.0 + n, 40, level) for n, level in enumerate(levels)], 4.0))
    assert [note.velocity for note in found] == pytest.approx([112 * (level / 0.4) ** 0.5 for level in levels], abs=2)


def test_vibrato_is_one_note_with_bends(tmp_path: Path) -> None:
    time = np.arange(3 * RATE) / RATE
    (note,) = notes(tmp_path, "vocals", sound(60 + 0.6 * np.sin(2 * np.pi * 5 * time)))
    assert note.pitch == 60
    bends = [bend for _, bend in note.bends]
    assert 0.35 < max(bends) < 0.7 and -0.7 < min(bends) < -0.35


def test_a_glide_gives_bends(tmp_path: Path) -> None:
    time = np.arange(3 * RATE) / RATE
    pitch = 57 + np.clip(time - 1, 0, 1) * 4
    found = notes(tmp_path, "vocals", sound(pitch))
    assert found[0].pitch == 57 and found[-1].pitch == 61 and len(found) <= 5
    heard = [(moment, pitch_at(found, moment)) for moment in np.arange(0.2, 2.8, 0.05)]
    assert all(value is not None for _, value in heard)
    errors = [value - pitch[round(moment * RATE)] for moment, value in heard if value is not None]
    assert np.abs(errors).max() < 0.25


@pytest.mark.parametrize("name", ["bass", "vocals"])
def test_silence_has_no_notes(tmp_path: Path, name: str) -> None:
    assert notes(tmp_path, name, np.zeros((2, 2 * RATE), np.float32)) == []


def test_clicks_and_what_is_far_softer_are_no_notes(tmp_path: Path) -> None:
    assert notes(tmp_path, "vocals", clicks([0.5, 1.0, 1.5], 2.0)) == []
    (note,) = notes(tmp_path, "vocals", played([(0.5, 1.0, 60, 0.3), (1.5, 2.5, 67, 0.0005)], 3.0))
    assert note.pitch == 60


@pytest.mark.parametrize("seed", range(8))
def test_notes_are_in_order_whatever_is_measured(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = 2000
    pitch = np.repeat(rng.integers(40, 60, frames // 4), 4) + rng.normal(0, 0.3, frames)
    pitch[rng.random(frames) < 0.2] = np.nan
    voice = PitchTrack(pitch, rng.uniform(-70, -10, frames), rng.exponential(1.0, 2 * frames))
    found = find_notes(voice, 40, 60)
    assert len(found) > 20
    assert all(note.start < note.end <= after.start for note, after in itertools.pairwise(found))
    assert all(1 <= note.velocity <= 127 and 40 <= note.pitch <= 60 for note in found)
    for note in found:
        times = [time for time, _ in note.bends]
        assert times == sorted(times) and all(note.start <= time <= note.end for time in times)


def test_pieces_are_the_song(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 2 * PIECE + 1000)).astype(np.float32)
    write_wav(tmp_path / "a.wav", samples, PIECE_RATE, float32=True)
    pieces = list(mono_pieces(tmp_path / "a.wav"))
    assert [len(piece) - 2 * MARGIN for piece in pieces] == [PIECE, PIECE, 2 * FRAME]
    padded = np.pad(samples.mean(axis=0), (MARGIN, PIECE))
    for number, piece in enumerate(pieces):
        assert np.allclose(piece, padded[number * PIECE :][: len(piece)], atol=1e-7)


def test_notes_do_not_depend_on_where_a_song_is_cut(tmp_path: Path) -> None:
    """A note across the border of two pieces is one note, at its place."""
    border = PIECE / PIECE_RATE
    found = notes(tmp_path, "bass", played([(border - 0.5, border + 0.7, 43, 0.2)], border + 2))
    assert [(note.pitch, round(note.start - border, 1), round(note.end - border, 1)) for note in found] == [
        (43, -0.5, 0.7)
    ]


def test_stems_of_different_lengths(tmp_path: Path) -> None:
    stems = stem(tmp_path, "bass", played([(0.2, 0.6, 40, 0.2)], 1.0))
    stems |= stem(tmp_path, "vocals", played([(20.5, 21.0, 60, 0.2)], 22.0))
    parts = transcribe(stems).parts
    assert [(part.name, [note.pitch for note in part.notes]) for part in parts] == [("bass", [40]), ("vocals", [60])]


def test_progress_and_cancel(tmp_path: Path) -> None:
    stems = stem(tmp_path, "bass", np.zeros((1, 25 * RATE), np.float32))
    calls: list[tuple[int, int]] = []
    transcribe(stems, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
    cancel = Event()
    cancel.set()
    with pytest.raises(Cancelled):
        transcribe(stems, cancel=cancel)


def test_nothing_to_transcribe(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"none of the stems bass, vocals, other, kick, .*, cymbals is there"):
        transcribe(stem(tmp_path, "guitar", clicks([0.5], 1.0)))
