"""Guitar and keyboard parts over chords: strums, riffs, arpeggios, pads, hits. All times are in beats."""

from __future__ import annotations

import numpy as np

from song_maker.chords import Chord, chord_at, close_voicing, guitar_voicing, power_chord
from song_maker.notes import Note

_STRUMS = (
    "d...d...d...d...",
    "d...d.u.d...d.u.",
    "d...d.u...u.d.u.",
    "d.u.d.u.d.u.d.u.",
    "d..ud..ud..ud..u",
    "d.d.d.d.d.d.d.d.",
    "d.....u...u.d...",
    "d.duu.dud.duu.du",
    "....d.......d...",
)
"""Strokes down and up on the sixteenths of a bar."""

_HITS = (
    "x...x...x...x...",
    "x...............",
    "x.......x.......",
    "..x...x...x...x.",
    "x..x..x.x..x..x.",
    "x..x..x.........",
    "x.....x...x.....",
    "....x.......x...",
    "x.x.x.x.x.x.x.x.",
    "x.xx.x.x..x.x...",
)
"""Rhythms of chords on the sixteenths of a bar."""

_RIFFS = (
    "X.m.m.m.X.m.m.m.",
    "X.......X.......",
    "X.X.X.X.X.X.X.X.",
    "m.m.m.m.m.m.m.X.",
    "Xmm.mmX.mmm.X...",
    "X..X..X.m.m.X...",
    "mmm.mmm.X.X.mmm.",
    "X...............",
    "X.XX.XX.X.XX.XX.",
    "mmmmmmmmX.mmmmX.",
    "X.....X.....X.X.",
)
"""Rhythms of a distorted guitar on the sixteenths of a bar: `X` rings until the next, `m` is damped by the palm."""


def _bars(beats: float) -> range:
    return range(int(-(-beats // 4)))


def _strokes(pattern: str, beats: float) -> list[tuple[float, float, str]]:
    """Onset, end (the next onset) and sign of every stroke of a bar's `pattern`, in sixteenths, over `beats`."""
    onsets = [
        (4 * bar + place / 4, stroke) for bar in _bars(beats) for place, stroke in enumerate(pattern) if stroke != "."
    ]
    onsets = [(onset, stroke) for onset, stroke in onsets if onset < beats]
    ends = [onset for onset, _ in onsets[1:]] + [beats]
    return [(onset, until, stroke) for (onset, stroke), until in zip(onsets, ends, strict=False)]


def strums(chords: list[Chord], beats: float, rng: np.random.Generator) -> list[Note]:
    """Chords strummed over a guitar's strings, down from the lowest string and up from the highest."""
    pattern, position = str(rng.choice(_STRUMS)), int(rng.choice([0, 0, 0, 3, 5, 7]))
    spread = rng.uniform(0.005, 0.025)
    notes: list[Note] = []
    for onset, until, stroke in _strokes(pattern, beats):
        strings = guitar_voicing(chord_at(chords, onset), position)
        if stroke == "u":
            strings = strings[::-1][: int(rng.integers(3, 5))]
        loud = (96 if onset % 2 == 0 else 84 if stroke == "d" else 68) + 6 * rng.standard_normal()
        for string, pitch in enumerate(strings):
            start = onset + string * spread
            notes.append(Note(start, max(0.1, until - start), pitch, int(np.clip(loud - 2 * string, 20, 127))))
    return notes


def riff(chords: list[Chord], beats: float, rng: np.random.Generator, lowest: int) -> tuple[list[Note], list[Note]]:
    """Power chords of a distorted guitar above MIDI pitch `lowest`: those that ring, and those damped by the palm."""
    pattern, octave = str(rng.choice(_RIFFS)), bool(rng.random() < 0.7)
    ringing: list[Note] = []
    damped: list[Note] = []
    for onset, until, stroke in _strokes(pattern, beats):
        pitches = power_chord(chord_at(chords, onset), lowest, octave)
        if stroke == "m":
            damped += [Note(onset, min(0.22, until - onset), pitch, 100) for pitch in pitches[:2]]
        else:
            ringing += [Note(onset, (until - onset) * 0.97, pitch, 105) for pitch in pitches]
    return ringing, damped


def hits(chords: list[Chord], beats: float, rng: np.random.Generator) -> list[Note]:
    """Chords of a keyboard or a brass section in one rhythm, long or short."""
    pattern, centre = str(rng.choice(_HITS)), int(rng.integers(55, 70))
    short = rng.random() < 0.4
    notes: list[Note] = []
    places = [4 * bar + place / 4 for bar in _bars(beats) for place, stroke in enumerate(pattern) if stroke == "x"]
    places = [place for place in places if place < beats]
    for index, onset in enumerate(places):
        until = places[index + 1] if index + 1 < len(places) else beats
        length = 0.2 if short else (until - onset) * 0.95
        loud = int(np.clip(85 + (10 if onset % 2 == 0 else 0) + 7 * rng.standard_normal(), 20, 127))
        notes += [Note(onset, length, pitch, loud) for pitch in close_voicing(chord_at(chords, onset), centre)]
    return notes


def pad(chords: list[Chord], beats: float, rng: np.random.Generator) -> list[Note]:
    """Each chord held as long as it lasts."""
    centre = int(rng.integers(52, 72))
    return [
        Note(max(0.0, chord.start), min(chord.end, beats) - max(0.0, chord.start), pitch, 80)
        for chord in chords
        if chord.end > 0 and chord.start < beats
        for pitch in close_voicing(chord, centre)
    ]


def arpeggio(chords: list[Chord], beats: float, rng: np.random.Generator) -> list[Note]:
    """The notes of each chord one after the other, up, down or in a pattern, over one or two octaves."""
    step = float(rng.choice([0.25, 0.5, 0.5]))
    centre, octaves = int(rng.integers(52, 72)), int(rng.integers(1, 3))
    order = rng.permutation(8) if rng.random() < 0.4 else np.arange(8) if rng.random() < 0.5 else np.arange(8)[::-1]
    ringing = rng.uniform(0.5, 3.0)
    notes = []
    for index in range(int(beats / step)):
        voicing = close_voicing(chord_at(chords, index * step), centre)
        ladder = [pitch + 12 * octave for octave in range(octaves) for pitch in voicing]
        loud = int(np.clip(80 + 6 * rng.standard_normal(), 20, 127))
        notes.append(Note(index * step, step * ringing, ladder[int(order[index % 8]) % len(ladder)], loud))
    return notes


def riff_chords(beats: float, rng: np.random.Generator) -> list[Chord]:
    """A progression of power chords in a minor key, two bars around and around, as rock riffs have."""
    key = int(rng.integers(12))
    steps = (0, 3, 5, 7, 8, 10, 1)
    shapes = ((4.0, 4.0), (4.0, 2.0, 2.0), (2.0, 2.0, 2.0, 2.0), (3.0, 1.0, 4.0), (6.0, 2.0), (8.0, 8.0))
    shape = shapes[int(rng.integers(len(shapes)))]
    roots = [key] + [(key + int(rng.choice(steps))) % 12 for _ in shape[1:]]
    chords, start = [], 0.0
    while start < beats:
        for root, length in zip(roots, shape, strict=True):
            chords.append(Chord(start, start + length, root, (0, 7), root))
            start += length
    return chords
