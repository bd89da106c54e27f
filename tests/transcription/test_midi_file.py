"""MIDI files, read back with mido."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from htdemucs_n.errors import OutputError
from htdemucs_n.transcription import Note, transcribe, write_midi
from htdemucs_n.transcription.beats import Beats
from htdemucs_n.transcription.midi_file import GRID, TICKS, Part
from transcription_helpers import clicks, played, stem

UNEVEN = Beats(np.array([0.0, 0.5, 1.1, 1.5, 2.2]))


def events(file: mido.MidiFile, name: str, kind: str) -> list[tuple[float, Any]]:
    """Times in seconds and messages of one kind in a track, by the tempos of the file."""
    (track,) = [track for track in file.tracks if track.name == name]
    merged = mido.MidiFile(type=1, ticks_per_beat=file.ticks_per_beat)
    merged.tracks += [file.tracks[0], track]
    now, found = 0.0, []
    for message in merged:
        now += message.time
        if message.type == kind:
            found.append((now, message))
    return found


def ticks(track: mido.MidiTrack, kind: str) -> list[int]:
    now, found = 0, []
    for message in track:
        now += message.time
        if message.type == kind:
            found.append(now)
    return found


def written(folder: Path, parts: list[Part], beats: Beats = UNEVEN, title: str = "Song", **options: Any) -> Any:
    write_midi(folder / "song.mid", title, beats, parts, **options)
    assert [path.name for path in folder.iterdir()] == ["song.mid"]
    return mido.MidiFile(folder / "song.mid", charset="utf-8")


def test_tracks(tmp_path: Path) -> None:
    notes = [Note(0.2, 0.7, 40, 100), Note(0.7, 1.9, 43, 50)]
    file = written(tmp_path, [Part("bass", 33, 0, notes), Part("vocals", 53, 1, [])], title="Señor 歌 \udcff")
    assert file.type == 1 and file.ticks_per_beat == TICKS
    assert [track.name for track in file.tracks] == ["Señor 歌 ?", "bass", "vocals"]
    programs = [
        (message.program, message.channel)
        for track in file.tracks
        for message in track
        if message.type == "program_change"
    ]
    assert programs == [(33, 0), (53, 1)]
    started, ended = events(file, "bass", "note_on"), events(file, "bass", "note_off")
    assert [(message.note, message.velocity) for _, message in started] == [(40, 100), (43, 50)]
    assert [time for time, _ in started] == pytest.approx([0.2, 0.7], abs=0.001)  # through tempos that change
    assert [time for time, _ in ended] == pytest.approx([0.7, 1.9], abs=0.001)


def test_tempos_follow_the_beats(tmp_path: Path) -> None:
    file = written(tmp_path, [])
    assert [round(message.tempo) for message in file.tracks[0] if message.type == "set_tempo"] == [
        500_000, 600_000, 400_000, 700_000,
    ]  # fmt: skip
    assert ticks(file.tracks[0], "set_tempo") == [0, 480, 960, 1440]
    (tmp_path / "song.mid").unlink()
    file = written(tmp_path, [], Beats(0.3 + 60 / 97 * np.arange(300) - 0.3))
    assert len(ticks(file.tracks[0], "set_tempo")) == 1


def test_bends(tmp_path: Path) -> None:
    note = Note(0.5, 1.5, 60, 100, ((0.5, 0.0), (1.0, 1.0), (1.2, -2.0), (1.4, 2.0)))
    file = written(tmp_path, [Part("vocals", 53, 1, [note])])
    bends = events(file, "vocals", "pitchwheel")
    assert [message.pitch for _, message in bends] == [0, 4096, -8192, 8191]
    assert [time for time, _ in bends] == pytest.approx([0.5, 1.0, 1.2, 1.4], abs=0.002)


def test_quantised(tmp_path: Path) -> None:
    notes = [Note(0.03, 0.52, 60, 100), Note(0.52, 0.55, 62, 90), Note(0.56, 1.08, 64, 80)]
    file = written(tmp_path, [Part("vocals", 53, 1, notes)], quantise=True)
    assert all(tick % GRID == 0 for kind in ("note_on", "note_off") for tick in ticks(file.tracks[1], kind))
    kept = [message.note for message in file.tracks[1] if message.type == "note_on"]
    assert kept == [60, 64]  # of two on one place the longer
    assert ticks(file.tracks[1], "note_on") == [0, 480] and ticks(file.tracks[1], "note_off") == [480, 960]


def test_chords_stay_whole(tmp_path: Path) -> None:
    notes = [Note(0.0, 1.1, 60, 100), Note(0.0, 1.1, 64, 100), Note(0.5, 1.1, 60, 90)]
    file = written(tmp_path, [Part("other", 0, 2, notes, chords=True)])
    assert ticks(file.tracks[1], "note_on") == [0, 0, 480]
    assert sorted(ticks(file.tracks[1], "note_off")) == [480, 960, 960]  # one ends where it is struck again


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        write_midi(tmp_path / "file" / "song.mid", "Song", UNEVEN, [])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_song_over_clicks(tmp_path: Path) -> None:
    """Notes up to 40 ms beside a pulse of 100 beats a minute lie on it after they are quantised; two runs are equal."""
    beat = 0.6
    places = [1, 2, 3.5, 4, 5.25, 6, 8]
    errors = [0.03, -0.04, 0.02, 0.0, 0.04, -0.03, 0.01]
    line = [(beat * place + error, beat * (place + 0.45), 40, 0.1) for place, error in zip(places, errors, strict=True)]
    stems = stem(tmp_path, "drums", clicks(beat * np.arange(1, 16), 10.0))
    stems |= stem(tmp_path, "bass", played(line, 10.0))
    files = []
    for name in ("a.mid", "b.mid"):
        result = transcribe(stems)
        write_midi(tmp_path / name, "Song", result.beats, result.parts, quantise=True)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    file = mido.MidiFile(tmp_path / "a.mid")
    tempos = [message.tempo for message in file.tracks[0] if message.type == "set_tempo"]
    assert tempos[-1] == pytest.approx(600_000, rel=0.003)
    first = [tick / TICKS for tick in ticks(file.tracks[1], "note_on")]
    assert [place - first[0] for place in first] == [place - places[0] for place in places]
    assert [time for time, _ in events(file, "bass", "note_on")] == pytest.approx(
        [beat * place for place in places], abs=0.025
    )
