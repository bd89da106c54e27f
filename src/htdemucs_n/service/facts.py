"""What is known of a song besides its sound: its tempo, its beats and its key."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Facts(BaseModel):
    """The facts of a song; null is what it has not, or what was not found."""

    tempo: float | None = Field(default=None, description="beats a minute")
    beats: list[float] = Field(default=[], description="where they are, seconds")
    tonic: str | None = Field(default=None, description="C, C#, D, Eb, E, F, F#, G, Ab, A, Bb or B")
    minor: bool = Field(default=False, description="whether the key is a minor one")
