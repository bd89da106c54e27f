"""Chords, bass lines, accompaniment, drums: the music follows its chords and its grid."""

from __future__ import annotations

import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htdemucs_n.errors import UserError
from song_maker import accompaniment
from song_maker.bass_lines import HIGHEST, LOWEST, PATTERNS, bass_line
from song_maker.chords import Chord, chord_at, close_voicing, guitar_voicing, parse_chord, power_chord
from song_maker.drum_machine import PATTERNS as DRUM_PATTERNS
from song_maker.drum_machine import programmed
from song_maker.groove import GrooveSet
from song_maker.notes import Note, humanize, in_seconds, one_voice, window
from song_maker.pop909 import Pop909
from song_maker.styles import STYLES
from song_maker_helpers import groove_zip, pop909_zip

BEATS = 24.0


def progression(seed: int) -> list[Chord]:
    rng = np.random.default_rng(seed)
    shapes = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 6))
    return [
        Chord(4.0 * n, 4.0 * n + 4, int(root), shapes[int(rng.integers(4))], int(root))
        for n, root in enumerate(rng.integers(0, 12, 6))
    ]


@pytest.mark.parametrize(
    ("symbol", "root", "intervals", "bass"),
    [
        ("C:maj", 0, (0, 4, 7), 0),
        ("Bb:min7", 10, (0, 3, 7, 10), 10),
        ("F#:7", 6, (0, 4, 7, 10), 6),
        ("A:maj/3", 9, (0, 4, 7), 1),
        ("Eb:min/b3", 3, (0, 3, 7), 6),
        ("D:sus4(b7)", 2, (0, 5, 7), 2),
        ("G:hdim7/b7", 7, (0, 3, 6, 10), 5),
        ("E", 4, (0, 4, 7), 4),
        ("E:min13", 4, (0, 3, 7), 4),
    ],
)
def test_symbols_of_chords(symbol: str, root: int, intervals: tuple[int, ...], bass: int) -> None:
    assert parse_chord(symbol, 0, 4) == Chord(0, 4, root, intervals, bass)


@pytest.mark.parametrize("symbol", ["N", "", "H:maj", "C:maj/x", "maj"])
def test_what_is_no_chord_gives_none(symbol: str) -> None:
    assert parse_chord(symbol, 0, 4) is None


def test_voicings_of_c_major() -> None:
    chord = Chord(0, 4, 0, (0, 4, 7), 0)
    assert close_voicing(chord, 60) == [55, 60, 64]  # an octave around middle C: G C E
    assert guitar_voicing(chord) == [48, 52, 55, 60, 64]  # the chord every guitarist learns first
    assert power_chord(chord, 40) == [48, 55, 60]
    assert chord.transposed(7).pitch_classes == (7, 11, 2)


@given(st.integers(0, 10_000), st.sampled_from(PATTERNS))
@settings(max_examples=60, deadline=None)
def test_bass_follows_the_chords(seed: int, pattern: str) -> None:
    chords = progression(seed)
    line = bass_line(pattern, chords, BEATS, [0.0, 1.5, 2.0, 6.0, 8.0, 12.1, 16.0, 20.0], np.random.default_rng(seed))
    starts = [note.start for note in line]
    assert starts[0] < 4 and starts == sorted(set(starts))
    assert all(LOWEST <= note.pitch <= HIGHEST and 1 <= note.velocity <= 127 for note in line)
    # One voice: a note ends before the next begins.
    assert all(
        note.length > 0 and note.end <= after + 1e-9 for note, after in zip(line, [*starts[1:], BEATS], strict=True)
    )
    # The first note of every chord is its bass; half of all notes or more belong to the chord that sounds.
    for chord in chords:
        first = next((note for note in line if chord.start <= note.start < chord.end), None)
        assert first is None or first.pitch % 12 == chord.bass
    inside = [note.pitch % 12 in chord_at(chords, note.start).pitch_classes for note in line]
    assert np.mean(inside) >= (0.5 if pattern == "walking" else 1.0)


def test_bass_of_pattern_kick_plays_with_the_bass_drum() -> None:
    kicks = [0.0, 0.75, 2.0, 4.03, 5.5, 8.0]
    line = bass_line("kick", progression(1), BEATS, [*kicks, 8.1], np.random.default_rng(0))
    assert [note.start for note in line] == kicks  # 8.1 is too near to 8.0 to be another note


@given(st.integers(0, 10_000), st.sampled_from(["strums", "hits", "pad", "arpeggio"]))
@settings(max_examples=60, deadline=None)
def test_accompaniment_plays_the_chords(seed: int, name: str) -> None:
    chords = progression(seed)
    notes = getattr(accompaniment, name)(chords, BEATS, np.random.default_rng(seed))
    assert notes
    for note in notes:
        assert 0 <= note.start < BEATS and note.length > 0 and 1 <= note.velocity <= 127
        # A strum reaches its last string a little later than it begins.
        near = {*chord_at(chords, note.start).pitch_classes, *chord_at(chords, note.start - 0.16).pitch_classes}
        assert note.pitch % 12 in near


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_riffs_are_roots_and_fifths(seed: int) -> None:
    chords = progression(seed)
    ringing, damped = accompaniment.riff(chords, BEATS, np.random.default_rng(seed), 40)
    for note in ringing + damped:
        chord = chord_at(chords, note.start)
        assert note.pitch >= 40 and (note.pitch - chord.root) % 12 in (0, chord.fifth)
    assert all(note.length <= 0.22 for note in damped)


def test_riff_chords_fill_the_time_without_gaps() -> None:
    for seed in range(20):
        chords = accompaniment.riff_chords(30.0, np.random.default_rng(seed))
        assert chords[0].start == 0 and chords[-1].end >= 30
        assert all(one.end == two.start for one, two in itertools.pairwise(chords))


@pytest.mark.parametrize("pattern", DRUM_PATTERNS)
def test_programmed_drums_keep_to_the_sixteenths(pattern: str) -> None:
    for seed in range(10):
        hits = programmed(pattern, 18.0, np.random.default_rng(seed))
        assert [hit.start for hit in hits] == sorted(hit.start for hit in hits)
        for hit in hits:
            swing = hit.start * 4 - np.floor(hit.start * 4 + 1e-6)
            assert 0 <= hit.start < 18.1 and swing <= 0.33


def test_notes_in_seconds_and_windows() -> None:
    notes = [Note(0, 1, 60, 90), Note(2, 0.5, 62, 90), Note(4, 1, 64, 90)]
    assert in_seconds(notes, 120) == [Note(0, 0.5, 60, 90), Note(1, 0.25, 62, 90), Note(2, 0.5, 64, 90)]
    assert window(notes, 2, 2) == [Note(0, 0.5, 62, 90)]
    moved = humanize(notes, np.random.default_rng(0), 0.01)
    assert all(
        abs(one.start - two.start) <= 0.026 and one.pitch == two.pitch for one, two in zip(notes, moved, strict=True)
    )


def test_one_voice_takes_the_highest_note_and_cuts_overlaps() -> None:
    notes = [Note(0, 4, 60, 90), Note(0, 4, 67, 90), Note(1, 1, 65, 90)]
    assert one_voice(notes) == [Note(0, 1, 67, 90), Note(1, 1, 65, 90)]


def test_pop909_is_read_in_beats_from_the_first_downbeat(tmp_path: Path) -> None:
    songs = Pop909(pop909_zip(tmp_path / "pop.zip"))
    assert len(songs) == 1
    score = songs.read(0)
    assert score is not None and score.name == "007" and score.bpm == pytest.approx(120)
    assert score.chords[:2] == [Chord(0, 4, 0, (0, 4, 7), 0), Chord(4, 8, 9, (0, 3, 7), 9)]
    assert score.melody[0].start == pytest.approx(0.0, abs=1e-3)  # 0.75 s: the first downbeat
    assert score.melody[3].start == pytest.approx(3.0, abs=1e-3) and score.melody[3].length == pytest.approx(
        0.9, abs=0.01
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "pop.zip"]


def test_grooves_go_around_in_whole_bars(tmp_path: Path) -> None:
    grooves = GrooveSet(groove_zip(tmp_path / "groove.zip"))
    groove = grooves.choose(("rock",), np.random.default_rng(0))
    assert (groove.style, groove.bpm, groove.bars) == ("rock", 100, 5)
    assert {hit.pitch for hit in groove.notes} == {36, 38}  # the rim of the snare drum is a snare drum
    played = groove.play(first_bar=3, beats=30)
    np.testing.assert_allclose([hit.start for hit in played], np.arange(30) + 0.01, atol=2e-3)
    # A damaged take is passed over.
    assert grooves.choose(("funk", "rock"), np.random.default_rng(1)).style == "rock"


@pytest.mark.parametrize("kind", [Pop909, GrooveSet])
def test_sources_that_are_none(kind: type[Pop909] | type[GrooveSet], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing\.zip"):
        kind(tmp_path / "missing.zip")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(UserError, match="cannot be read as a zip"):
        kind(tmp_path / "text.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(UserError, match="contains no"):
        kind(tmp_path / "empty.zip")


def test_styles_name_what_exists() -> None:
    from song_maker.layers import LAYERS

    for style in STYLES.values():
        assert set(style.bass) <= set(PATTERNS) and set(style.machine) <= set(DRUM_PATTERNS)
        assert {name for name, _ in style.layers} <= set(LAYERS) and style.bpm[0] < style.bpm[1]
