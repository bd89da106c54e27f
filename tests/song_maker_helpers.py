"""What the tests of the song maker share: small archives of MIDI files, and whether SoundFonts are installed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest

from htdemucs_n.errors import UserError
from song_maker.soundfonts import SoundFonts


def installed() -> bool:
    try:
        SoundFonts()
    except UserError:
        return False
    return True


needs_fonts = pytest.mark.skipif(not installed(), reason="FluidSynth, its binding or SoundFonts are missing")


def midi_bytes(tracks: dict[str, list[tuple[float, float, int]]], bpm: float, channel: int = 0) -> bytes:
    """A MIDI file with notes given as start and end in beats, and pitch."""
    midi = mido.MidiFile(ticks_per_beat=480)
    for name, notes in tracks.items():
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        if not midi.tracks:
            track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm)))
        events = sorted(
            [(round(480 * start), 1, pitch) for start, _, pitch in notes]
            + [(round(480 * end), 0, pitch) for _, end, pitch in notes]
        )
        now = 0
        for tick, on, pitch in events:
            track.append(mido.Message("note_on", note=pitch, velocity=80 * on, time=tick - now, channel=channel))
            now = tick
        midi.tracks.append(track)
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


def pop909_zip(path: Path) -> Path:
    """One song at 120 beats a minute, whose first downbeat is at 0.25 s + one beat."""
    seconds = 0.25 + 0.5 * np.arange(80)
    downbeats = (np.arange(80) % 4 == 1).astype(float)
    beats = "\n".join(f"{time} {down} {down}" for time, down in zip(seconds, downbeats, strict=True))
    chords = "0.25\t0.75\tN\n" + "\n".join(
        f"{0.75 + 2 * bar}\t{2.75 + 2 * bar}\t{('C:maj', 'A:min', 'F:maj', 'G:7')[bar % 4]}" for bar in range(19)
    )
    # MIDI time is the time of the beats file: a quarter second is half a beat.
    melody = [(1.5 + n, 2.4 + n, 60 + n % 12) for n in range(70)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("POP909/007/007.mid", midi_bytes({"MELODY": melody, "BRIDGE": [], "PIANO": melody}, 120))
        archive.writestr("POP909/007/beat_midi.txt", beats)
        archive.writestr("POP909/007/chord_midi.txt", chords)
        archive.writestr("../outside.txt", "names in a zip lead nowhere")
    return path


def groove_zip(path: Path) -> Path:
    hits = [(beat + 0.01, beat + 0.1, 36 if beat % 2 == 0 else 40) for beat in range(22)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("groove/drummer1/s/1_rock-half_100_beat_4-4.mid", midi_bytes({"MIDI": hits}, 100, channel=9))
        archive.writestr("groove/drummer1/s/2_rock_100_fill_4-4.mid", b"not a take")
        archive.writestr("groove/drummer1/s/3_funk_90_beat_4-4.mid", b"damaged")
    return path
