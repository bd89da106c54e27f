"""Accompaniment by MMA: charts, the library, MIDI as parts, and a command that is missing, fails or hangs."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import islice
from pathlib import Path

import mido
import numpy as np
import pytest

from song_maker import backing, chords, effects, mma
from song_maker.arrangement import Arrangement
from song_maker.backing import read_backing, with_backing
from song_maker.chords import Chord, chord_at
from song_maker.cli import songs
from song_maker.effects import RATE
from song_maker.general_midi import play_part
from song_maker.layers import Player
from song_maker.mma import Mma, MmaError, chart, find_mma, list_grooves
from song_maker.notes import Note, Part
from song_maker.rhythm_section import play_bass
from song_maker.soundfonts import SoundFonts
from song_maker.styles import STYLES
from song_maker_helpers import needs_fonts

CHORDS = [
    Chord(-2.0, 2.5, 0, (0, 4, 7), 0),
    Chord(2.5, 4.0, 9, (0, 3, 7), 9),
    Chord(4.0, 8.0, 5, (0, 4, 7, 11), 9),
    Chord(12.0, 16.0, 6, (0, 3, 6, 10), 6),
]
PLAN = Arrangement(STYLES["pop"], 104.5, 13.0, CHORDS, [Note(0.0, 0.1, 36, 90)], [], [], [])


def track(name: str, channel: int, program: int, notes: list[tuple[float, float, int]]) -> mido.MidiTrack:
    """Notes as start and length in beats of 96 ticks, and pitch."""
    made = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    made.append(mido.Message("program_change", channel=channel, program=program))
    events = [(96 * start, 80, pitch) for start, _, pitch in notes]
    events += [(96 * (start + length), 0, pitch) for start, length, pitch in notes]
    now = 0
    for tick, velocity, pitch in sorted(events):
        step, now = int(tick) - now, int(tick)
        made.append(mido.Message("note_on", channel=channel, note=pitch, velocity=velocity, time=step))
    return made


def song(*tracks: mido.MidiTrack) -> mido.MidiFile:
    return mido.MidiFile(ticks_per_beat=96, tracks=list(tracks))


DRUMS = track("Drum", 9, 0, [(0, 0.25, 36), (1, 0.25, 38), (20, 0.25, 36)])
BASS = track("Walk", 14, 32, [(0, 1, 36), (1, 1, 43)])
GUITAR = track("Chord-Guitar", 13, 27, [(0.5, 0.5, 64), (0.5, 0.5, 60)])


def command(folder: Path, script: str) -> Mma:
    """A stand-in for the command, with a library of one groove."""
    path = folder / "mma"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Mma(str(path), {"stdlib/none": ["One"]})


def test_a_chart_has_the_chords_of_each_bar() -> None:
    expected = """\
RndSeed 7
Tempo 104.50
Time 4
Groove stdlib/bossanova:BossaNova
1 C Am@3.5
2 FM7/A
3 FM7/A
4 F#m7b5
"""
    # The chord that sounds goes on where there is none; thirteen beats are four bars.
    assert chart("stdlib/bossanova:BossaNova", CHORDS, 104.5, 13.0, 7) == expected


def test_every_chord_that_is_read_can_be_written() -> None:
    for quality, intervals in chords._QUALITIES.items():
        assert mma.symbol(Chord(0, 4, 1, intervals, 1)).startswith("C#"), quality


def test_grooves_are_those_in_four_that_play_the_song(tmp_path: Path) -> None:
    (tmp_path / "stdlib").mkdir()
    (tmp_path / "stdlib" / "rock.mma").write_text(
        "// Time 3\nTime 4/4\nDefGroove Rock\n  defgroove RockSus with strings\nDefGroove RockIntroSus1\n"
        "DefGroove RockFillAA\nDefGroove RockEnding\nDefGroove DescendingRock\nTime 6\nDefGroove Rock68\n"
        "time 4\nDefGroove RockMetronome\n"
    )
    (tmp_path / "waltz.mma").write_text("Time 3\nDefGroove Waltz\n")
    (tmp_path / "pop.mma").write_text("DefGroove Pop\n")
    grooves = list_grooves(tmp_path)
    assert grooves == {"pop": ["Pop"], "stdlib/rock": ["Rock", "RockSus", "DescendingRock"]}
    drawn = list(islice(Mma("mma", grooves).draw(("rock",), np.random.default_rng(0)), 400))
    assert drawn == list(islice(Mma("mma", grooves).draw(("rock",), np.random.default_rng(0)), 400))
    assert set(drawn) == {"pop:Pop", "stdlib/rock:Rock", "stdlib/rock:RockSus", "stdlib/rock:DescendingRock"}
    assert 0.15 < np.mean([groove == "pop:Pop" for groove in drawn]) < 0.35  # half of a half


def test_tracks_are_drums_bass_and_parts() -> None:
    drums, bass, parts = read_backing(song(mido.MidiTrack(), DRUMS, BASS, GUITAR), 13.0)
    assert drums == [Note(0, 0.25, 36, 80), Note(1, 0.25, 38, 80)]  # the hit on beat 20 comes after the end
    assert bass is not None and (bass.program, bass.notes) == (32, [Note(0, 1, 36, 80), Note(1, 1, 43, 80)])
    assert [(part.program, part.notes) for part in parts] == [(27, [Note(0.5, 0.5, 60, 80), Note(0.5, 0.5, 64, 80)])]


def test_the_bass_is_what_a_bass_plays_or_a_low_line() -> None:
    tuba = track("Bass", 12, 58, [(0, 1, 36)])
    brass = track("Bass-Sus", 11, 61, [(0, 4, 64)])
    thunder = track("Bass-Synthdrum", 10, 118, [(0, 1, 40)])
    _, bass, parts = read_backing(song(tuba, brass, thunder, BASS), 8.0)
    assert bass is not None and bass.program == 32 and [part.program for part in parts] == [58, 61]
    _, bass, parts = read_backing(song(tuba, brass, thunder), 8.0)
    assert bass is not None and bass.program == 58 and [part.program for part in parts] == [61]
    assert read_backing(song(brass, DRUMS), 8.0)[1] is None


def test_a_band_replaces_what_it_plays(tmp_path: Path) -> None:
    song(DRUMS, BASS, GUITAR).save(tmp_path / "made.mid")
    # The arguments of the command: an empty settings file, a chart, and the name of the MIDI file.
    script = f'test ! -s "$2" && grep -q "^Groove stdlib/none:One$" "$5" && cp {tmp_path}/made.mid "$4"'
    plan = with_backing(PLAN, command(tmp_path, script), np.random.default_rng(0))
    assert [hit.pitch for hit in plan.drums] == [36, 38] and plan.kicks == [0.0]
    assert plan.bass is not None and plan.bass.program == 32 and [part.program for part in plan.parts] == [27]
    song(BASS).save(tmp_path / "made.mid")
    plan = with_backing(PLAN, command(tmp_path, script), np.random.default_rng(0))
    assert plan.drums == PLAN.drums and plan.bass is not None and plan.parts == ()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo first; echo 'Error: no such groove'; exit 1", "Error: no such groove"),
        ("exit 3", "exit status 3"),
        ("exec sleep 60", "no end after 0.3 s"),
        ("true", "no MIDI"),
        ('echo nonsense > "$4"', "no MIDI"),
    ],
)
def test_a_command_that_fails_costs_the_style_and_not_the_song(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mma, "_TIME_LIMIT", 0.3)
    broken = command(tmp_path, script)
    with pytest.raises(MmaError, match=said):
        broken.play(chart("stdlib/none:One", CHORDS, 100.0, 8.0, 0))
    with caplog.at_level(logging.WARNING):
        assert with_backing(PLAN, broken, np.random.default_rng(0)) is PLAN
    assert len(caplog.records) == backing._TRIES and said in caplog.text and "stdlib/none:One" in caplog.text


def test_without_the_command_songs_are_as_before_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_mma() is None
    command(tmp_path, "true")
    assert find_mma([tmp_path / "lib"]) is None  # a command without a library
    monkeypatch.setattr("song_maker.library.make_songs", lambda *arguments: (100, []))
    songs(tmp_path / "out", tmp_path / "p.zip", tmp_path / "g.zip")
    captured = capsys.readouterr()
    assert "apt install mma" in captured.err
    assert len(captured.err.splitlines()) == 1


@needs_fonts
def test_bass_and_parts_sound_where_they_are_written() -> None:
    fonts = SoundFonts()
    notes = [Note(2.0, 1.0, 45, 100), Note(4.0, 1.0, 45, 100)]
    plan = replace(PLAN, bpm=120.0, bass=Part(33, notes), parts=())
    for seed in range(3):
        for program in (0, 16, 27, 30, 81):
            player = Player(plan, 3.0, fonts, np.random.default_rng(seed))
            assert effects.rms(play_part(player, Part(program, notes))) == pytest.approx(0.1, rel=0.01)
        sound = play_bass(plan, 3.0, fonts, np.random.default_rng(seed)).mean(axis=0)
        loud = np.flatnonzero(np.abs(sound) > 0.1 * np.abs(sound).max())
        assert loud[0] / RATE == pytest.approx(1.0, abs=0.04)
        tone = sound[round(1.1 * RATE) : round(1.4 * RATE)]
        spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), RATE))
        peak = int(np.argmax(spectrum))
        assert min(abs(peak - 110 * harmonic) for harmonic in (1, 2, 3)) < 5


@pytest.mark.skipif(find_mma() is None, reason="MMA is not installed")
def test_mma_plays_the_chords_and_always_the_same() -> None:
    found = find_mma()
    assert found is not None and len(found.grooves) > 50
    every = [Chord(4.0 * n, 4.0 * n + 4, n % 12, steps, n % 12) for n, steps in enumerate(mma._SYMBOLS)]
    beats = 4.0 * len(every)
    rng = np.random.default_rng(0)
    for groove in islice(found.draw((), rng), 8):
        texts = [chart(groove, every, 100.0, beats, seed) for seed in (1, 1, 2)]
        one, same, _ = (read_backing(found.play(text), beats) for text in texts)
        assert one[0] == same[0]
        for part, again in zip([one[1], *one[2]], [same[1], *same[2]], strict=True):
            assert part is None or (again is not None and part.notes == again.notes)
        # Chords begin on a bar; hands are a little early now and then.
        inside = [
            note.pitch % 12 in chord_at(every, note.start + 0.1).pitch_classes for part in one[2] for note in part.notes
        ]
        assert not inside or np.mean(inside) > 0.7, groove
