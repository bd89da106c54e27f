"""Score `htdemucs-n transcribe` on songs made from notes, whose notes are known.

    python benchmarks/transcription.py POP909.zip GROOVE.zip [--songs 20] [--seconds 20] [--seed 0] [--json FILE]

A song is a passage of POP909 under a drum take of the Groove MIDI set, as the song maker arranges it: drums, bass and
chords from SoundFonts, and a synthetic voice that sings the melody with glides, vibrato and consonants. Its stems are
transcribed twice: as they are, and as the shipped model separates them from their sum. The score is the F-measure of
`mir_eval`: a note counts where its onset lies within 50 ms of a true one, each once (`onset`), and where its pitch is
within half a semitone too (`onset and pitch`); the ends of notes don't count. Figures are means over songs. `tempo` is
the share of songs whose tempo, or half or twice that, is found within 4 %. It needs the extras `make` and `transcribe`,
`mir_eval`, FluidSynth, and SoundFonts of Debian.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, iirpeak, lfilter

from htdemucs_n.audio import write_wav
from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import describe_machine
from htdemucs_n.separation import Separator
from htdemucs_n.transcription import Note as Found
from htdemucs_n.transcription import transcribe
from song_maker import effects
from song_maker.arrangement import Arrangement, arrange
from song_maker.bass_lines import PATTERNS, bass_line
from song_maker.effects import RATE, Signal
from song_maker.groove import GrooveSet
from song_maker.notes import Note, humanize, in_seconds, one_voice
from song_maker.pop909 import Pop909
from song_maker.rhythm_section import play_drums
from song_maker.song import mixed
from song_maker.soundfonts import SoundFonts
from song_maker.synth import oscillator
from transcription_table import transcription_table

SCORES = ("onset", "onset and pitch")

_TEMPO = 0.04
"""Part by which a tempo that is right may differ."""

_BASSES = range(32, 40)
_CHORDS = (0, 1, 4, 5, 16, 24, 25, 27, 48, 50)
"""General MIDI programs, from 0: pianos, an organ, guitars, strings."""

_VOWELS = ((750, 1200, 2600), (480, 1900, 2600), (300, 2250, 3000), (500, 850, 2500), (330, 800, 2400))
"""Formants of a, e, i, o, u in Hz."""


def make_song(
    pop909: Pop909, grooves: GrooveSet, fonts: SoundFonts, seconds: float, rng: np.random.Generator
) -> tuple[dict[str, Signal], dict[str, list[Note]], float]:
    """The stems of a song `(2, T)`, the notes in seconds of those that have one voice, and the beats a minute."""
    rng, drums, low, chords, voice, mix = rng.spawn(6)  # so that another kit of drums leaves the rest as it is
    plan = arrange(pop909, grooves, seconds, rng)
    while len(plan.melody) < seconds / 2:  # a passage with too little singing
        plan = arrange(pop909, grooves, seconds, rng)
    line = bass_line(str(rng.choice(PATTERNS)), plan.chords, plan.beats, plan.kicks, rng)
    bass = humanize(in_seconds(line, plan.bpm), rng, 0.006)
    melody = _within(one_voice(humanize(in_seconds(one_voice(plan.melody), plan.bpm), rng, 0.012)), rng)
    stems = {
        "drums": play_drums(plan, seconds, fonts, drums),
        "bass": fonts.play(fonts.preset(int(low.choice(_BASSES)), low), bass, seconds),
        "other": _accompaniment(plan, seconds, fonts, chords),
        "vocals": sing(melody, seconds, voice),
    }
    return mixed(stems, mix), {"bass": bass, "vocals": melody}, plan.bpm


def _accompaniment(plan: Arrangement, seconds: float, fonts: SoundFonts, rng: np.random.Generator) -> Signal:
    notes = humanize(in_seconds(plan.piano, plan.bpm), rng, 0.008)
    return fonts.play(fonts.preset(int(rng.choice(_CHORDS)), rng), notes, seconds)


def _within(melody: list[Note], rng: np.random.Generator) -> list[Note]:
    """The melody in the octave of a singer."""
    centre = rng.uniform(53, 70)
    octaves = 12 * round((centre - float(np.median([note.pitch for note in melody]))) / 12)
    return [note._replace(pitch=note.pitch + octaves) for note in melody]


def sing(melody: Sequence[Note], seconds: float, rng: np.random.Generator) -> Signal:
    """A synthetic voice, `(2, T)`: a sawtooth through the formants of a vowel for each note, noise before some."""
    total = round(seconds * RATE)
    time = np.arange(total) / RATE
    pitch, depth = np.full(total, float(melody[0].pitch)), np.zeros(total)
    loud, noise, vowel = np.zeros(total), np.zeros(total), np.zeros(total, int)
    for note in melody:
        since = time - note.start
        held = (since >= 0) & (since < note.length)
        pitch[since >= 0], vowel[since >= 0] = note.pitch, rng.integers(len(_VOWELS))
        depth[held] = np.clip((since[held] - 0.2) / 0.3, 0, 1)
        loud[held] = note.velocity / 127
        if rng.random() < 0.6:
            consonant = (since >= -rng.uniform(0.04, 0.1)) & (since < 0)
            loud[consonant], noise[consonant] = 0.05, rng.uniform(0.02, 0.1)
    vibrato = rng.uniform(0, 0.5) * depth * np.sin(2 * np.pi * rng.uniform(5, 6.5) * time)
    drift = _smooth(rng.standard_normal(total), 0.3) * 0.1 * np.sqrt(0.3 * RATE)
    step = 440 * 2 ** ((_smooth(pitch, rng.uniform(0.04, 0.15)) + vibrato + drift - 69) / 12) / RATE
    source = oscillator("saw", np.cumsum(step), step) + 0.05 * rng.standard_normal(total)
    sung = sum(_smooth(vowel == number) * _resonant(source, formants) for number, formants in enumerate(_VOWELS))
    hiss = effects.high_pass(rng.standard_normal(total), 3000.0, 2)
    voice = sung * _smooth(loud) + hiss * _smooth(noise)
    response = effects.room_response(rng, rng.uniform(0.3, 1.5), 5000)
    return effects.reverberate(np.stack([voice, voice]), response, effects.decibels(rng.uniform(-32, -15)))


def _resonant(source: Signal, formants: Sequence[int]) -> Signal:
    """A source `(T,)` through the resonances of a vowel."""
    bands = (lfilter(*iirpeak(hertz, hertz / (80 + 40 * n), RATE), source) for n, hertz in enumerate(formants))
    return np.asarray(sum(0.6**n * band for n, band in enumerate(bands)))


def _smooth(curve: NDArray[Any], seconds: float = 0.02) -> Signal:
    """A curve `(T,)` whose steps take some time."""
    kernel = np.hanning(round(seconds * RATE))
    kernel /= kernel.sum()
    padded = np.pad(curve.astype(np.float64), len(kernel) // 2, mode="edge")
    return fftconvolve(padded, kernel, mode="same")[len(kernel) // 2 :][: len(curve)]


def score(truth: Sequence[Note], found: Sequence[Found]) -> dict[str, float]:
    """The F-measures of a stem, by the names of `SCORES`."""
    if not found:
        return dict.fromkeys(SCORES, 0.0)
    intervals = [np.array([(note.start, note.end) for note in notes]) for notes in (truth, found)]
    hertz = [440 * 2 ** ((np.array([note.pitch for note in notes]) - 69) / 12) for notes in (truth, found)]
    onset = mir_eval.transcription.onset_precision_recall_f1(*intervals, onset_tolerance=0.05)[2]
    both = mir_eval.transcription.precision_recall_f1_overlap(
        intervals[0], hertz[0], intervals[1], hertz[1], onset_tolerance=0.05, pitch_tolerance=50, offset_ratio=None
    )[2]
    return dict(zip(SCORES, (float(onset), float(both)), strict=True))


def scored_song(
    stems: dict[str, Signal], notes: dict[str, list[Note]], bpm: float, separator: Separator
) -> dict[tuple[str, str], dict[str, float]]:
    """The F-measures of a song, by what is transcribed and stem; `tempo` is 1 where that is right."""
    mixture = np.sum(list(stems.values()), axis=0).astype(np.float32)
    scores = {}
    for kind, tracks in {"true stems": stems, "separated": separator.separate(mixture, RATE)}.items():
        with tempfile.TemporaryDirectory() as folder:
            files = {name: Path(folder) / f"{name}.wav" for name in tracks}
            for name, file in files.items():
                write_wav(file, np.asarray(tracks[name], np.float32), RATE, float32=True)
            result = transcribe(files)
        right = min(abs(np.log2(result.beats.bpm / bpm) + octave) for octave in (-1, 0, 1)) < np.log2(1 + _TEMPO)
        for part in result.parts:
            scores[kind, part.name] = score(notes[part.name], part.notes) | {"tempo": float(right)}
    return scores


def main() -> None:
    """Print the table; write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pop909", type=Path)
    parser.add_argument("groove", type=Path)
    parser.add_argument("--songs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    pop909, grooves, fonts, separator = Pop909(arguments.pop909), GrooveSet(arguments.groove), SoundFonts(), Separator()
    scores: dict[tuple[str, str], list[dict[str, float]]] = {}
    counts: dict[str, int] = {}
    for number in range(arguments.songs):
        rng = np.random.default_rng((arguments.seed, number))
        stems, notes, bpm = make_song(pop909, grooves, fonts, arguments.seconds, rng)
        for key, values in scored_song(stems, notes, bpm, separator).items():
            scores.setdefault(key, []).append(values)
        for stem, line in notes.items():
            counts[stem] = counts.get(stem, 0) + len(line)
    rows = [
        {"transcribed": kind, "stem": stem, "notes": counts[stem]}
        | {name: statistics.fmean(value[name] for value in values) for name in (*SCORES, "tempo")}
        for (kind, stem), values in scores.items()
    ]
    print("\n".join(transcription_table(rows)))
    if arguments.json:
        facts = {
            "engine": separator.engine.name,
            "songs": arguments.songs,
            "seconds": arguments.seconds,
            "seed": arguments.seed,
        }
        write_record(arguments.json, describe_machine(1) | facts, results=rows)


if __name__ == "__main__":
    main()
