"""What belongs together: tempo, drumming, bass lines and instruments of a style of music."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """How songs of one style are drawn. Names of parts are those of `drum_machine`, `bass_lines` and `layers`."""

    weight: float
    """How many songs are of it, relative to the others."""
    bpm: tuple[float, float]
    grooves: tuple[str, ...]
    """Styles of Groove MIDI takes."""
    machine: tuple[str, ...]
    """Programmed patterns."""
    machine_share: float
    """Probability of a programmed pattern."""
    electronic: float
    """Probability of an electronic kit."""
    bass: tuple[str, ...]
    basses: tuple[str, ...]
    layers: tuple[tuple[str, float], ...]
    """Instruments of the stem `other` with the probability of each."""
    riffs: float = 0.0
    """Probability of chords made for riffs instead of those of a POP909 song."""


STYLES: dict[str, Style] = {
    "rock": Style(
        weight=0.26,
        bpm=(85, 165),
        grooves=("rock", "pop"),
        machine=("rock",),
        machine_share=0.25,
        electronic=0.03,
        bass=("eighths", "kick", "quarters", "syncopated", "roots", "root_fifth"),
        basses=("picked", "picked", "fingered", "driven"),
        layers=(
            ("distorted", 0.55),
            ("crunch", 0.5),
            ("clean", 0.35),
            ("acoustic", 0.25),
            ("organ", 0.2),
            ("piano", 0.15),
            ("solo_guitar", 0.25),
            ("strings", 0.1),
            ("pad", 0.1),
        ),
        riffs=0.35,
    ),
    "metal": Style(
        weight=0.13,
        bpm=(95, 200),
        grooves=("rock", "punk"),
        machine=("blast", "rock"),
        machine_share=0.55,
        electronic=0.0,
        bass=("eighths", "kick", "eighths", "roots"),
        basses=("picked", "driven", "driven"),
        layers=(("distorted", 1.0), ("solo_guitar", 0.35), ("strings", 0.12), ("synth_pad", 0.12), ("distorted", 0.3)),
        riffs=0.8,
    ),
    "punk": Style(
        weight=0.08,
        bpm=(140, 200),
        grooves=("punk", "rock"),
        machine=("rock",),
        machine_share=0.3,
        electronic=0.0,
        bass=("eighths", "kick", "quarters"),
        basses=("picked", "driven"),
        layers=(("distorted", 0.7), ("crunch", 0.8), ("solo_guitar", 0.15), ("organ", 0.1)),
        riffs=0.4,
    ),
    "pop": Style(
        weight=0.17,
        bpm=(80, 130),
        grooves=("pop", "rock", "soul", "dance", "country"),
        machine=("four", "rock", "break"),
        machine_share=0.35,
        electronic=0.35,
        bass=("eighths", "kick", "roots", "syncopated", "octaves", "arpeggio"),
        basses=("fingered", "picked", "synth", "sub"),
        layers=(
            ("piano", 0.4),
            ("acoustic", 0.4),
            ("clean", 0.4),
            ("synth_pad", 0.35),
            ("synth_pluck", 0.25),
            ("strings", 0.3),
            ("electric_piano", 0.2),
            ("synth_lead", 0.2),
            ("crunch", 0.25),
            ("brass", 0.08),
            ("bells", 0.12),
        ),
    ),
    "ballad": Style(
        weight=0.1,
        bpm=(58, 95),
        grooves=("pop", "rock", "soul", "jazz", "gospel"),
        machine=("rock",),
        machine_share=0.2,
        electronic=0.1,
        bass=("roots", "long", "root_fifth", "arpeggio", "kick", "walking"),
        basses=("fingered", "fretless", "upright"),
        layers=(
            ("piano_score", 0.5),
            ("piano", 0.2),
            ("acoustic", 0.45),
            ("strings", 0.5),
            ("electric_piano", 0.3),
            ("pad", 0.3),
            ("clean", 0.35),
            ("organ", 0.2),
            ("lead", 0.3),
            ("solo_guitar", 0.15),
        ),
    ),
    "funk": Style(
        weight=0.09,
        bpm=(85, 125),
        grooves=("funk", "soul", "neworleans", "afrobeat", "latin", "reggae", "jazz", "hiphop"),
        machine=("break",),
        machine_share=0.1,
        electronic=0.05,
        bass=("syncopated", "kick", "octaves", "walking", "syncopated"),
        basses=("slap", "fingered", "fingered", "synth", "upright"),
        layers=(
            ("funk_guitar", 0.6),
            ("electric_piano", 0.4),
            ("clavinet", 0.25),
            ("organ", 0.35),
            ("brass", 0.45),
            ("piano", 0.25),
            ("lead", 0.25),
            ("clean", 0.25),
        ),
    ),
    "electronic": Style(
        weight=0.1,
        bpm=(90, 175),
        grooves=("dance", "hiphop"),
        machine=("four", "four", "break", "trap"),
        machine_share=0.9,
        electronic=0.85,
        bass=("eighths", "octaves", "syncopated", "arpeggio", "long", "kick"),
        basses=("synth", "synth", "sub"),
        layers=(
            ("synth_pad", 0.6),
            ("synth_pluck", 0.6),
            ("synth_lead", 0.5),
            ("synth_stabs", 0.4),
            ("piano", 0.2),
            ("bells", 0.2),
            ("strings", 0.1),
            ("distorted", 0.1),
        ),
    ),
    "hiphop": Style(
        weight=0.07,
        bpm=(70, 105),
        grooves=("hiphop", "funk", "soul"),
        machine=("trap", "break"),
        machine_share=0.7,
        electronic=0.7,
        bass=("kick", "long", "syncopated", "kick"),
        basses=("sub", "sub", "synth", "fingered"),
        layers=(
            ("electric_piano", 0.35),
            ("piano", 0.35),
            ("synth_pluck", 0.3),
            ("strings", 0.3),
            ("bells", 0.25),
            ("synth_pad", 0.3),
            ("lead", 0.2),
            ("brass", 0.15),
            ("clean", 0.2),
        ),
    ),
}
