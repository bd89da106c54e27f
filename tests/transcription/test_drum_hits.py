"""The hits of drums: their times, velocities and pieces, from parts of which every hit is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import mido
import numpy as np
import pytest
from numpy.typing import NDArray

from htdemucs_n.separation import Separator
from htdemucs_n.separation.drum_kit import DRUM_KIT
from htdemucs_n.transcription import Transcription, transcribe, write_midi
from htdemucs_n.transcription.drum_hits import PIECES, Loudness
from htdemucs_n.transcription.note import Note
from htdemucs_n.transcription.songs import find_songs, stem_files, with_drum_parts
from transcription_helpers import RATE, stem

Samples = NDArray[np.float64]

SOUNDS = {
    "kick": (60.0, 0.12),
    "snare": (220.0, 0.1),
    "toms": (120.0, 0.2),
    "hihat": (8000.0, 0.03),
    "cymbals": (5000.0, 0.6),
}
"""Of each part: Hz, and seconds in which it falls to 1/e."""


def part(name: str, hits: Sequence[tuple[float, float]], seconds: float = 4.0) -> Samples:
    """A part `(2, T)`: a decaying tone with some noise at each time, with its gain."""
    frequency, decay = SOUNDS[name]
    time = np.arange(round(seconds * RATE)) / RATE
    rng = np.random.default_rng(0)
    sound = np.zeros(len(time))
    for start, gain in hits:
        since = np.maximum(time - start, 0)
        body = np.sin(2 * np.pi * frequency * since) + 0.2 * rng.standard_normal(len(time))
        sound += gain * body * np.exp(-since / decay) * (time >= start)
    return np.stack([sound, sound])


def drums(folder: Path, parts: Mapping[str, Samples]) -> list[Note]:
    """The notes of the part `drums`."""
    files: dict[str, Path] = {}
    for name, samples in parts.items():
        files |= stem(folder, name, samples)
    (found,) = transcribe(files).parts
    assert (found.name, found.channel) == ("drums", 9)
    return list(found.notes)


@pytest.mark.parametrize("name", SOUNDS)
def test_hits_have_their_times(name: str, tmp_path: Path) -> None:
    times = [0.5, 1.0, 1.3, 2.0, 2.75, 3.5]
    notes = drums(tmp_path, {name: part(name, [(time, 0.4) for time in times])})
    assert [note.start for note in notes] == pytest.approx(times, abs=0.025)
    assert {note.pitch for note in notes} == {PIECES[name].pitch}


def test_louder_hits_have_higher_velocities(tmp_path: Path) -> None:
    gains = [0.1, 0.2, 0.4, 0.8]
    notes = drums(tmp_path, {"snare": part("snare", [(0.5 + n, gain) for n, gain in enumerate(gains)])})
    velocities = [note.velocity for note in notes]
    assert velocities == sorted(velocities) and len(set(velocities)) == 4
    assert velocities[-1] / velocities[0] == pytest.approx(10 ** (18 / 40), rel=0.1)  # 18 dB: half of it in dB


def test_what_is_left_of_another_part_is_no_hit(tmp_path: Path) -> None:
    """A tenth of every kick in the toms, beside two real hits of a tom."""
    kicks = part("kick", [(0.5, 0.8), (1.5, 0.8), (2.5, 0.8)])
    toms = part("toms", [(1.0, 0.5), (3.0, 0.5)]) + 0.1 * kicks
    notes = drums(tmp_path, {"kick": kicks, "toms": toms})
    assert [note.start for note in notes if note.pitch == PIECES["toms"].pitch] == pytest.approx([1.0, 3.0], abs=0.025)
    assert len(notes) == 5


def test_silent_and_shorter_parts(tmp_path: Path) -> None:
    notes = drums(tmp_path, {"kick": part("kick", [(0.5, 0.5)], 1.0), "snare": np.zeros((2, 4 * RATE))})
    assert [note.pitch for note in notes] == [36]


@pytest.mark.parametrize(("decibels", "plays"), [(-20, True), (-31, False)])
def test_what_is_left_of_other_stems_is_no_drums(decibels: float, plays: bool, tmp_path: Path) -> None:
    """Parts that quiet beside a bass have the hits that they have alone, or none."""
    kicks = part("kick", [(0.5, 0.4), (1.5, 0.4), (2.5, 0.4)])
    bass = np.stack([np.sin(2 * np.pi * 110 * np.arange(4 * RATE) / RATE)] * 2)
    bass *= 10 ** (-decibels / 20) * np.sqrt(np.square(kicks).mean() / np.square(bass).mean())
    scale = 0.5 / np.abs(bass).max()
    alone = drums(tmp_path, {"kick": scale * kicks})
    assert len(alone) == 3
    stems = stem(tmp_path, "kick", scale * kicks) | stem(tmp_path, "bass", scale * bass)
    (found,) = [part.notes for part in transcribe(stems).parts if part.name == "drums"]
    assert list(found) == (alone if plays else [])


def test_drums_of_a_moment_count_where_they_play() -> None:
    loudness, song = Loudness(), np.ones(1000, np.float32)
    for _ in range(20):
        loudness.add([0.03 * song, 0.03 * song], song)
    assert loudness.faint  # by 27 dB
    loudness.add([0.1 * song], song)
    assert not loudness.faint


def test_drums_are_taken_apart_where_no_parts_are_there(tmp_path: Path) -> None:
    """By the shipped model: kicks stay kicks, also from a folder of the command `separate`."""
    song = tmp_path / "song"
    song.mkdir()
    kicks = part("kick", [(0.5, 0.6), (1.0, 0.6), (1.5, 0.6), (2.5, 0.6)])
    stem(song, "drums", kicks)
    with with_drum_parts(stem_files(song), lambda: Separator(DRUM_KIT, threads=1)) as files:
        assert set(files) == {"drums", *PIECES}
        notes = notes_of(transcribe(files))
    assert [note.start for note in notes if note.pitch == 36] == pytest.approx([0.5, 1.0, 1.5, 2.5], abs=0.025)

    (song / "drums").mkdir()
    stem(song / "drums", "kick", 0.5 * kicks)
    files = stem_files(song)
    assert files == {"drums": song / "drums.wav", "kick": song / "drums/kick.wav"}
    with with_drum_parts(files, lambda: pytest.fail("they are there")) as same:
        assert same == files
    assert [track.path for track in find_songs([tmp_path], tmp_path / "out")] == [song]


def notes_of(song: Transcription) -> list[Note]:
    return [note for part in song.parts for note in part.notes]


def test_the_file_plays_drums_on_channel_ten(tmp_path: Path) -> None:
    song = transcribe(stem(tmp_path, "kick", part("kick", [(0.5, 0.5), (1.0, 0.5), (1.5, 0.5)])))
    write_midi(tmp_path / "song.mid", "song", song.beats, song.parts)
    (track,) = [track for track in mido.MidiFile(tmp_path / "song.mid").tracks if track.name == "drums"]
    hits = [(m.channel, m.note) for m in track if m.type == "note_on" and m.velocity]
    assert hits == [(9, 36)] * 3
