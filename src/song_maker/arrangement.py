"""The plan of a song: style, tempo, key, chords and the melody parts, in beats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htdemucs_n.errors import UserError
from song_maker.accompaniment import riff_chords
from song_maker.chords import Chord
from song_maker.drum_machine import programmed
from song_maker.groove import GrooveSet
from song_maker.notes import Note, Part, window
from song_maker.pop909 import BAR, Pop909, Score
from song_maker.styles import STYLES, Style


@dataclass(frozen=True, eq=False)
class Arrangement:
    """What is played, before it is known on which instruments. Times are in beats from the start."""

    style: Style
    bpm: float
    beats: float
    chords: list[Chord]
    drums: list[Note]
    melody: list[Note]
    bridge: list[Note]
    piano: list[Note]
    bass: Part | None = None
    """The bass line; where there is none, one is made from the chords."""
    parts: tuple[Part, ...] = ()
    """Further parts with instruments of their own; where there are none, the style's instruments play."""

    @property
    def kicks(self) -> list[float]:
        """The beats of the bass drum."""
        return sorted({hit.start for hit in self.drums if hit.pitch in (35, 36)})


def arrange(pop909: Pop909, grooves: GrooveSet, seconds: float, rng: np.random.Generator) -> Arrangement:
    """Draw a passage of `seconds`: chords and melodies of a POP909 song in another key, under a drum take."""
    names = list(STYLES)
    weights = np.array([STYLES[name].weight for name in names])
    style = STYLES[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
    programmed_drums = rng.random() < style.machine_share
    groove = grooves.choose(style.grooves, rng)
    bpm = rng.uniform(*style.bpm)
    if not programmed_drums:  # a drummer's timing belongs to a tempo
        while groove.bpm < style.bpm[0] / 1.15 or groove.bpm > style.bpm[1] * 1.15:
            groove = grooves.choose(style.grooves, rng)
            if rng.random() < 0.1:
                break
        bpm = groove.bpm * rng.uniform(0.92, 1.08)
    beats = seconds * bpm / 60
    if programmed_drums:
        drums = programmed(str(rng.choice(style.machine)), beats, rng)
    else:
        drums = groove.play(int(rng.integers(groove.bars)), beats)

    score = _score(pop909, beats, rng)
    # The melody keeps near its own speed, whatever the drummer counts.
    stretch = float(min((0.5, 1.0, 2.0), key=lambda factor: abs(np.log2(bpm / (score.bpm * factor)))))
    needed = beats / stretch
    first = _first_downbeat(score, needed, rng)
    key = int(rng.integers(-5, 7))

    def part(notes: list[Note]) -> list[Note]:
        return [
            note._replace(start=note.start * stretch, length=note.length * stretch, pitch=note.pitch + key)
            for note in window(notes, first, needed)
        ]

    chords = [
        chord.moved(first, stretch).transposed(key)
        for chord in score.chords
        if chord.end > first and chord.start < first + needed
    ]
    if rng.random() < style.riffs:
        chords = riff_chords(beats, rng)
    return Arrangement(style, bpm, beats, chords, drums, part(score.melody), part(score.bridge), part(score.piano))


def _score(pop909: Pop909, beats: float, rng: np.random.Generator) -> Score:
    """A random song that is long enough, at half its speed too."""
    for index in rng.permutation(len(pop909)).tolist():
        score = pop909.read(index)
        if score is not None and len(score.chords) > 8 and score.chords[-1].end - score.chords[0].start > 2 * beats + 8:
            return score
    raise UserError(f"'{pop909.path}' has no song in 4/4 with {2 * beats + 8:.0f} beats: make shorter songs")


def _first_downbeat(score: Score, beats: float, rng: np.random.Generator) -> float:
    """The bar where the passage begins; more often one where there is much melody."""
    low, high = score.chords[0].start, score.chords[-1].end - beats
    bars = [bar * BAR for bar in range(int(-(-low // BAR)), int(high // BAR) + 1)]
    onsets = np.array([note.start for note in score.melody])
    sung = np.array([1.0 + np.sum((onsets >= bar) & (onsets < bar + beats)) for bar in bars])
    return float(rng.choice(bars, p=sung / sung.sum()))
