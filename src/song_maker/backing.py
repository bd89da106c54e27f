"""The backing band that MMA plays: its MIDI tracks as drums, bass and further parts of an arrangement."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import islice

import mido
import numpy as np

from song_maker.arrangement import Arrangement
from song_maker.mma import Mma, MmaError, chart
from song_maker.notes import Note, Part, read_notes, window

log = logging.getLogger(__name__)

_TRIES = 3
"""Grooves that may fail before the song does without."""

_DRUM_CHANNEL = 9
_BASSES = range(32, 40)
_EFFECTS = range(112, 128)
"""Programs of General MIDI: basses; and drums with a pitch, noises: no part of any stem."""

_BASS_TRACKS = ("Bass", "Walk")
_LOW = 48
"""MIDI pitch below which the median of a bass line lies."""


def with_backing(plan: Arrangement, mma: Mma, rng: np.random.Generator) -> Arrangement:
    """`plan` with a band that plays its chords in a groove of MMA; `plan` itself where MMA fails.

    What a groove lacks stays as it is: under drums alone the song keeps its bass and its instruments.
    """
    for groove in islice(mma.draw(plan.style.grooves, rng), _TRIES):
        try:
            midi = mma.play(chart(groove, plan.chords, plan.bpm, plan.beats, int(rng.integers(2**31))))
        except MmaError as error:
            log.warning("MMA, groove %s: %s", groove, error)
            continue
        drums, bass, parts = read_backing(midi, plan.beats)
        if drums or bass or parts:
            return replace(plan, drums=drums or plan.drums, bass=bass, parts=tuple(parts))
    return plan


def read_backing(midi: mido.MidiFile, beats: float) -> tuple[list[Note], Part | None, list[Part]]:
    """Drums, bass and the other parts in the first `beats` of a MIDI file; what it lacks is empty or None.

    Drums are on channel 10. The bass is what is played on a bass; in a groove without one (a tuba, an organ's pedals,
    a left hand) the low tracks named Bass or Walk are.
    """
    drums: list[Note] = []
    tracks: list[tuple[str, Part]] = []
    for track in midi.tracks:
        notes = window(read_notes(track, midi.ticks_per_beat), 0.0, beats)
        channel, program = _instrument(track)
        if channel == _DRUM_CHANNEL:
            drums += notes
        elif notes and program not in _EFFECTS:
            tracks.append((track.name, Part(program, notes)))
    basses = [part for _, part in tracks if part.program in _BASSES] or [
        part for name, part in tracks if name.startswith(_BASS_TRACKS) and _median(part) < _LOW
    ]
    bass = None
    if basses:
        most = max(basses, key=lambda part: len(part.notes))
        bass = Part(most.program, sorted(note for part in basses for note in part.notes))
    return sorted(drums), bass, [part for _, part in tracks if not any(part is low for low in basses)]


def _instrument(track: mido.MidiTrack) -> tuple[int, int]:
    """Channel and program (both from 0) of a track's first note."""
    program = 0
    for message in track:
        if message.type == "program_change":
            program = message.program
        elif message.type == "note_on" and message.velocity:
            return message.channel, program
    return -1, program


def _median(part: Part) -> float:
    return float(np.median([note.pitch for note in part.notes]))
