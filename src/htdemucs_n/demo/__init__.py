"""Twelve seconds of a real song in stems, which no shipped model was trained on (see `README.md` beside this file)."""

from __future__ import annotations

from pathlib import Path

from htdemucs_n.audio import Audio, read_audio

STEMS = ("drums", "bass", "other", "vocals")


def demo_song() -> dict[str, Audio]:
    """The stems by name, stereo at 44.1 kHz, all of one length; their sum is the mixture."""
    return {stem: read_audio(Path(__file__).parent / f"{stem}.ogg") for stem in STEMS}
