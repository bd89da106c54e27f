"""The demo song on paper: tempo, key, chords, and what each player plays and when.

Everything is drawn from the seed. Parts draw from generators of their own, bar after bar, so a longer song
begins as the shorter one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BEATS = 4
"""Beats in a bar."""

_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_PROGRESSIONS = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 2, 3, 4), (3, 0, 4, 5)),
    "minor": ((0, 5, 2, 6), (0, 6, 5, 6), (0, 3, 5, 6), (0, 2, 6, 3), (5, 6, 0, 0)),
}

# One mark a sixteenth: a digit is a stroke of loudness digit / 9, `o` an open hat, `t`, `u`, `v` toms.
_KICKS = ("9.....6.9.......", "9..6..8...9.....", "9.....7..8....5.", "9...5...9.6.....", "9.......8..7....")
_SNARES = ("....9.......9...", "....9..2....9..3", "....9....2.29...", "....9.......9.2.")
_HATS = ("7.4.6.4.7.4.6.4.", "7.4.6.4.7.4.6.5o", "6243624362436243", "6.526.526.526.52", "..7...7...7...7.")
_FILLS = ("............9.78", "..........7.9898", "............t.uv", "..........8.ttuv", "........9..8t.uv")
_FILL_DRUMS = {"t": "high tom", "u": "mid tom", "v": "low tom"}

# (beat, length in beats, chord step): 0 the root, 2 the fifth, 3 the octave, -1 a step towards the next root.
_BASS_LINES = (
    ((0, 1.4, 0), (1.5, 0.45, 0), (2, 1.4, 0), (3.5, 0.45, -1)),
    (*((eighth / 2, 0.45, 0) for eighth in range(7)), (3.5, 0.45, -1)),
    ((0, 0.9, 0), (1.5, 0.4, 3), (2, 0.9, 0), (3, 0.45, 2), (3.5, 0.45, -1)),
    ((0, 1.9, 0), (2, 0.7, 2), (2.75, 0.25, 0), (3, 0.9, 0)),
    ((0, 0.65, 0), (0.75, 0.6, 0), (1.5, 0.45, 3), (2.5, 0.45, 0), (3, 0.4, 2), (3.5, 0.45, -1)),
)
_COMPING = (
    ((0, 1.4), (1.5, 0.4), (2.5, 1.3)),
    ((0, 0.9), (1.5, 0.9), (3, 0.9)),
    ((0, 1.9), (2, 0.9), (3.5, 0.45)),
    ((0.5, 0.4), (1.5, 0.4), (2.5, 0.4), (3.5, 0.4)),
)
_ARPEGGIOS = (
    (0, 1, 2, 3, 2, 1, 2, 1),
    (0, 2, 1, 2, 3, 2, 1, 2),
    (0, 1, 2, 1, 3, 1, 2, 1),
    (3, 2, 1, 0, 1, 2, 3, 2),
)

# Two-bar phrases of the voice, (beat, length in beats); each ends in a rest, where the singer breathes.
_PHRASES = (
    ((0, 1), (1, 0.5), (1.5, 0.5), (2, 1.5), (3.5, 0.5), (4, 1), (5, 1.75)),
    ((0.5, 0.5), (1, 0.5), (1.5, 0.5), (2, 1), (3, 1), (4, 0.5), (4.5, 0.5), (5, 1.5)),
    ((0, 1.5), (1.5, 0.5), (2, 1), (3, 0.5), (3.5, 0.5), (4, 2.5)),
    ((0, 0.5), (0.5, 0.5), (1, 1), (2.5, 0.5), (3, 0.5), (3.5, 0.5), (4, 1), (5, 0.5), (5.5, 1.25)),
)
_SYLLABLES = ("la", "na", "ma", "da", "so", "she", "ti", "no", "hu", "le", "mi", "do", "ka", "fa")


@dataclass(frozen=True)
class Note:
    """One note: `start` and `length` in seconds, MIDI `pitch` (69 is 440 Hz), `velocity` 0 to 1."""

    start: float
    length: float
    pitch: int
    velocity: float
    syllable: str = ""


@dataclass(frozen=True)
class Hit:
    """One stroke of the drum machine: `start` in seconds, `velocity` 0 to 1."""

    start: float
    drum: str
    velocity: float


@dataclass(frozen=True)
class Score:
    """A composed song. `chords` holds one tuple of pitch classes (0 = C) a bar, the root first."""

    tempo: float
    swing: float
    tonic: int
    mode: str
    chords: tuple[tuple[int, ...], ...]
    drums: tuple[Hit, ...]
    bass: tuple[Note, ...]
    keys: tuple[Note, ...]
    guitar: tuple[Note, ...]
    pad: tuple[Note, ...]
    melody: tuple[Note, ...]

    def seconds(self, beat: float) -> float:
        """Return when `beat` falls: every second sixteenth comes late by `swing` (share of an eighth)."""
        return _seconds(beat, self.tempo, self.swing)


def _seconds(beat: float, tempo: float, swing: float) -> float:
    eighth, inside = divmod(beat * 2, 1)
    middle = 0.5 + swing
    late = inside * middle / 0.5 if inside < 0.5 else middle + (inside - 0.5) * (1 - middle) / 0.5
    return (eighth + late) / 2 * 60 / tempo


def compose(seed: int, seconds: float) -> Score:
    """Write the score of a song that lasts at least `seconds`: whole bars, the last one may pass the end."""
    plan, drum_rng, bass_rng, chord_rng, voice_rng = (np.random.default_rng([seed, part]) for part in range(5))
    tempo = float(plan.integers(88, 127))
    swing = float(plan.uniform(0.0, 0.06))
    mode = str(plan.choice(["major", "minor"]))
    tonic = int(plan.integers(12))
    bars = max(1, int(np.ceil(seconds * tempo / 60 / BEATS)))
    progression = _PROGRESSIONS[mode][plan.integers(len(_PROGRESSIONS[mode]))]
    sevenths = bool(plan.random() < 0.4)

    pen = _Pen(tempo, swing, tonic, _SCALES[mode], tuple(progression[bar % 4] for bar in range(bars)), sevenths)
    keys, guitar, pad = pen.accompaniment(chord_rng)
    return Score(
        tempo=tempo,
        swing=swing,
        tonic=tonic,
        mode=mode,
        chords=tuple(tuple(pen.pitch(step) % 12 for step in pen.chord(bar)) for bar in range(bars)),
        drums=pen.drums(drum_rng),
        bass=pen.bass(bass_rng),
        keys=keys,
        guitar=guitar,
        pad=pad,
        melody=pen.melody(voice_rng),
    )


@dataclass(frozen=True)
class _Pen:
    """Writes the parts of one song; `roots` is the scale degree of each bar's chord."""

    tempo: float
    swing: float
    tonic: int
    scale: tuple[int, ...]
    roots: tuple[int, ...]
    sevenths: bool

    def pitch(self, degree: int) -> int:
        """Return the pitch of a scale degree, in semitones above C; degrees pass the octave both ways."""
        octave, step = divmod(degree, 7)
        return self.tonic + 12 * octave + self.scale[step]

    def chord(self, bar: int) -> tuple[int, ...]:
        """Return the scale degrees of the bar's chord: stacked thirds."""
        return tuple(self.roots[bar] + third for third in ((0, 2, 4, 6) if self.sevenths else (0, 2, 4)))

    def voicing(self, bar: int, lowest: int) -> list[int]:
        """Return the bar's chord tones in the octave from `lowest` up: small steps from chord to chord."""
        return sorted(lowest + (self.pitch(step) - lowest) % 12 for step in self.chord(bar))

    def note(self, bar: int, beat: float, length: float, pitch: int, velocity: float, syllable: str = "") -> Note:
        """Place a note by its beat in the bar."""
        first = bar * BEATS + beat
        start, end = (_seconds(when, self.tempo, self.swing) for when in (first, first + length))
        return Note(start, end - start, pitch, velocity, syllable)

    def drums(self, rng: np.random.Generator) -> tuple[Hit, ...]:
        """Kick, snare and hats from one pattern each, a fill in every fourth bar and a crash after it."""
        kick, snare, hat = (str(rng.choice(patterns)) for patterns in (_KICKS, _SNARES, _HATS))
        clap = rng.random() < 0.4
        hits: list[Hit] = []
        for bar in range(len(self.roots)):
            fill = str(rng.choice(_FILLS)) if bar % 4 == 3 else "." * 16
            filling = len(fill) - len(fill.lstrip("."))
            lines = {"kick": kick, "snare": snare[:filling], "hat": hat[:filling], "fill": fill}
            if clap:
                lines["clap"] = "....7.......7..."[:filling]
            if bar % 4 == 0:
                lines["crash"] = "8"
            for drum, line in lines.items():
                for step, mark in enumerate(line):
                    if mark == ".":
                        continue
                    name = _FILL_DRUMS.get(mark, "snare") if drum == "fill" else drum
                    name = "open hat" if mark == "o" else name
                    loudness = (int(mark) if mark.isdigit() else 7) / 9 * rng.uniform(0.88, 1.0)
                    beat = bar * BEATS + step / 4
                    human = float(np.clip(rng.normal(0, 0.003), -0.006, 0.006))
                    start = max(0.0, _seconds(beat, self.tempo, self.swing) + human)
                    hits.append(Hit(start, name, float(loudness)))
        return tuple(hits)

    def bass(self, rng: np.random.Generator) -> tuple[Note, ...]:
        """One pattern for the song; the last note of a bar may lead by step into the next root."""
        line = _BASS_LINES[rng.integers(len(_BASS_LINES))]
        notes: list[Note] = []
        for bar in range(len(self.roots)):
            root = 28 + (self.pitch(self.roots[bar]) - 28) % 12
            degree, target = self.roots[bar], self.roots[(bar + 1) % len(self.roots)]
            fifth = root + self.pitch(degree + 4) - self.pitch(degree)
            following = 28 + (self.pitch(target) - 28) % 12
            neighbour = target + (1 if following < root else -1)
            approach = following + self.pitch(neighbour) - self.pitch(target)
            pitches = {0: root, 2: fifth, 3: root + 12, -1: approach if following != root else root}
            for beat, length, step in line:
                velocity = (0.95 if beat == 0 else 0.8) * rng.uniform(0.9, 1.0)
                notes.append(self.note(bar, beat, length, pitches[step], float(velocity)))
        return tuple(notes)

    def accompaniment(self, rng: np.random.Generator) -> tuple[tuple[Note, ...], tuple[Note, ...], tuple[Note, ...]]:
        """Electric piano in block chords, a guitar that picks them in eighths, a pad that holds them."""
        comping = _COMPING[rng.integers(len(_COMPING))]
        arpeggio = _ARPEGGIOS[rng.integers(len(_ARPEGGIOS))]
        keys: list[Note] = []
        guitar: list[Note] = []
        pad: list[Note] = []
        for bar in range(len(self.roots)):
            close = self.voicing(bar, 57)
            for beat, length in comping:
                velocity = float(rng.uniform(0.6, 0.9))
                keys += [self.note(bar, beat, length, pitch, velocity) for pitch in close]
            strings = [*self.voicing(bar, 52), self.voicing(bar, 52)[0] + 12]
            for eighth, string in enumerate(arpeggio):
                velocity = float(rng.uniform(0.6, 0.85)) + (0.1 if eighth % 4 == 0 else 0.0)
                guitar.append(self.note(bar, eighth / 2, 1.0, strings[string], velocity))
            pad += [self.note(bar, 0, BEATS, pitch, 0.7) for pitch in self.voicing(bar, 60)]
        return tuple(keys), tuple(guitar), tuple(pad)

    def melody(self, rng: np.random.Generator) -> tuple[Note, ...]:
        """Two phrases of two bars in the order A A B A; each return of a phrase bends to the new chords."""
        middle = int(rng.choice([55, 62]))  # a low voice about G3, a high one about D4
        centre = min(range(-14, 70), key=lambda degree: abs(self.pitch(degree) - middle))
        rhythms = rng.permutation(len(_PHRASES))
        first, second = (_motif(_PHRASES[rhythm], rng) for rhythm in rhythms[:2])
        notes: list[Note] = []
        for phrase, first_bar in enumerate(range(0, len(self.roots), 2)):
            for beat, length, offset, syllable in (first, first, second, first)[phrase % 4]:
                bar = first_bar + int(beat // BEATS)
                if bar >= len(self.roots):
                    break
                degree = centre + offset
                if beat % 1 == 0:
                    degree = self._nearest_chord_tone(bar, degree)
                velocity = float(rng.uniform(0.75, 1.0))
                notes.append(self.note(bar, beat % BEATS, length, self.pitch(degree), velocity, syllable))
        return tuple(notes)

    def _nearest_chord_tone(self, bar: int, degree: int) -> int:
        tones = [tone % 7 for tone in self.chord(bar)[:3]]
        # Stacked thirds leave no gap wider than three steps: a chord tone is at most one step away.
        return next(near for near in (degree, degree - 1, degree + 1) if near % 7 in tones)


def _motif(
    rhythm: Sequence[tuple[float, float]], rng: np.random.Generator
) -> tuple[tuple[float, float, int, str], ...]:
    """Give a rhythm a contour and words: (beat, length in beats, scale steps from the centre, syllable)."""
    offset, drift = int(rng.integers(-1, 4)), int(rng.choice([-1, 1]))
    motif: list[tuple[float, float, int, str]] = []
    for beat, length in rhythm:
        motif.append((beat, length, offset, str(rng.choice(_SYLLABLES))))
        # A drift that turns at the edges of the range, with the odd leap: a line, not a random walk.
        drift = -drift if rng.random() < 0.3 else drift
        drift = -1 if offset > 3 else 1 if offset < -2 else drift
        offset = int(np.clip(offset + drift * rng.choice([0, 1, 1, 2]), -3, 5))
    return tuple(motif)
