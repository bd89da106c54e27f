"""What a stem is transcribed to."""

from __future__ import annotations

from typing import NamedTuple


class Note(NamedTuple):
    """A note of a stem; times are in seconds from the start of the song."""

    start: float
    end: float
    pitch: int
    """MIDI number, 60 is middle C."""
    velocity: int
    """1 to 127."""
    bends: tuple[tuple[float, float], ...] = ()
    """Times and semitones above `pitch` that are heard from there on."""
