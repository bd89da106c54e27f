"""A separation that was asked for: its song, its options, and how far it is."""

from __future__ import annotations

import hashlib
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from htdemucs_n.audio.formats import STEM_FILE
from htdemucs_n.errors import OptionError

State = Literal["queued", "running", "done", "failed", "cancelled"]

WAITING: tuple[State, ...] = ("queued", "running")
"""The states that a job leaves by itself."""


class Options(BaseModel):
    """How the stems of a job are written; what is null follows from the song and the format."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = Field(default="wav", description="wav, flac, mp3, ogg, opus, m4a or stem.mp4")
    depth: str | None = Field(default=None, description="int16, int24 or float32 of wav, flac and stem.mp4")
    bitrate: int | None = Field(default=None, description="kbit/s of lossy formats")
    two_stems: str | None = Field(
        default=None, description="a stem, written beside the rest of the song; or instrumental"
    )
    drum_kit: bool = Field(default=False, description="kick, snare, toms, hihat and cymbals in place of drums")

    @model_validator(mode="after")
    def _check_drum_kit(self) -> Self:
        if self.drum_kit and self.two_stems is not None:
            raise OptionError("two_stems and drum_kit exclude each other: leave one of them out")
        if self.drum_kit and self.format == STEM_FILE:
            raise OptionError(f"the format {STEM_FILE} holds the drums as one stem: choose another, or no drum_kit")
        return self


class Job(BaseModel):
    """A separation and its results."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="made from the content of the song, the options and the model")
    name: str = Field(description="what the song is called; it names no file of the library")
    song: str = Field(description="SHA-256 of the file of the song")
    model: str = Field(description="the model that separates it")
    engine: str = Field(default="auto", description="what runs the model")
    options: Options
    state: State = "queued"
    created: float = Field(description="when it was submitted, seconds since 1970")
    seconds: float | None = Field(default=None, description="length of the song, where its file says it")
    progress: float = Field(default=0.0, ge=0, le=1, description="part of the song that is separated")
    error: str | None = Field(default=None, description="why it failed, in one line")
    notes: list[str] = Field(default=[], description="what is remarkable about the result")
    files: dict[str, str] = Field(default={}, description="the names of the results, each with the name of its file")


def job_id(song: str, options: Options, model: str) -> str:
    """The id of the separation of a song: equal for equal content, options and model."""
    later = set() if options.drum_kit else {"drum_kit"}  # an option that older libraries do not have
    return hashlib.sha256(f"{song}\n{options.model_dump_json(exclude=later)}\n{model}".encode()).hexdigest()[:24]
