"""A transcription as a Standard MIDI File of format 1: a track of tempos, and one track for each part."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mido

from htdemucs_n.files import whole_file
from htdemucs_n.transcription.beats import Beats
from htdemucs_n.transcription.note import Note

TICKS = 480
"""Of a beat."""

GRID = TICKS // 4
"""Ticks of a sixteenth, to which notes are moved that are quantised."""

BEND_RANGE = 2
"""Semitones, as General MIDI has it for an instrument that is not told otherwise."""


@dataclass(frozen=True, eq=False)
class Part:
    """The notes of one stem, and the instrument that plays them."""

    name: str
    program: int
    """General MIDI, from 0."""
    channel: int
    """From 0."""
    notes: Sequence[Note]
    chords: bool = False
    """Whether notes may sound together."""


def write_midi(path: Path, title: str, beats: Beats, parts: Iterable[Part], quantise: bool = False) -> None:
    """Write the parts of a song to `path`, whole or not at all.

    The tempos of the file follow the beats, so that it plays beside the song. With `quantise`, notes begin and end on
    sixteenths of the beat. The title is written as UTF-8, with `?` for what that cannot hold of a file name.

    Raises:
        OutputError: it cannot be written.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS, charset="utf-8")
    file.tracks.append(_tempo_track(title.encode("utf-8", "replace").decode("utf-8"), beats))
    file.tracks += [_track(part, beats, GRID if quantise else 1) for part in parts]
    with whole_file(path) as part_path, part_path.open("wb") as opened:
        file.save(file=opened)


def _tempo_track(title: str, beats: Beats) -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=title)])
    last, waited = 0, 0
    for start, end in itertools.pairwise(beats.times.tolist()):
        tempo = round(1e6 * (end - start))
        if abs(tempo - last) > 1:  # what rounding makes of even beats is one tempo
            track.append(mido.MetaMessage("set_tempo", tempo=tempo, time=waited))
            last, waited = tempo, 0
        waited += TICKS
    return track


def _track(part: Part, beats: Beats, grid: int) -> mido.MidiTrack:
    """The track of a part, whose notes begin and end on multiples of `grid` ticks."""
    track = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name=part.name),
            mido.Message("program_change", channel=part.channel, program=part.program),
        ]
    )
    now = 0
    for tick, _, message in sorted(_events(part, beats, grid), key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def _events(part: Part, beats: Beats, grid: int) -> Iterable[tuple[int, int, mido.Message]]:
    """Tick, rank among the events of one tick, and message of all that happens in a part: ends before beginnings."""
    channel = part.channel
    for note, start, end in _placed(part, beats, grid):
        yield start, 2, mido.Message("note_on", channel=channel, note=note.pitch, velocity=note.velocity)
        yield end, 0, mido.Message("note_off", channel=channel, note=note.pitch)
        first = beats.place(note.start)
        scale = (end - start) / (beats.place(note.end) - first)
        for time, semitones in note.bends:
            pitch = max(-8192, min(8191, round(8192 * semitones / BEND_RANGE)))
            tick = min(end - 1, start + max(0, round(scale * (beats.place(time) - first))))
            yield tick, 1, mido.Message("pitchwheel", channel=channel, pitch=pitch)


def _placed(part: Part, beats: Beats, grid: int) -> list[tuple[Note, int, int]]:
    """The notes with the ticks where they begin and end.

    Of those that would begin on one tick the longest stays, and a note ends where the next begins; in a part with
    chords this holds for notes of one pitch.
    """
    placed: dict[tuple[int, int], tuple[Note, int]] = {}
    for note in part.notes:
        start, end = (grid * round(TICKS * beats.place(time) / grid) for time in (note.start, note.end))
        end, line = max(end, start + grid), note.pitch if part.chords else 0
        if (start, line) not in placed or placed[start, line][1] < end:
            placed[start, line] = note, end
    following: dict[int, int] = {}
    result = []
    for (start, line), (note, end) in sorted(placed.items(), key=lambda item: item[0], reverse=True):
        result.append((note, start, min(end, following.get(line, end))))
        following[line] = start
    return result[::-1]
