"""The routes to what a job has given: its lanes, their outlines, and files made of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from htdemucs_n.audio import SUFFIXES
from htdemucs_n.separation.names import safe_name
from htdemucs_n.service.export import Export, Exported, Exports
from htdemucs_n.service.facts import Facts
from htdemucs_n.service.job import Job
from htdemucs_n.service.known_facts import KnownFacts
from htdemucs_n.service.lanes import Sound
from htdemucs_n.service.library import Library
from htdemucs_n.service.notes import Notes, Roll
from htdemucs_n.service.renderings import Renderings
from htdemucs_n.service.settings import Limits
from htdemucs_n.service.versions import Version, Versions


def _version(
    tempo: Annotated[float, Query(ge=0.5, le=2, description="times as fast")] = 1.0,
    pitch: Annotated[float, Query(ge=-12, le=12, description="semitones higher")] = 0.0,
) -> Version:
    return Version(round(tempo, 3), round(pitch, 2))


Asked = Annotated[Version, Depends(_version)]


class Results:
    """The routes of one service below those of a job."""

    def __init__(self, library: Library, limits: Limits) -> None:
        self._library = library
        renderings = Renderings(library, limits.library)
        self._versions = Versions(library, renderings)
        self._exports = Exports(library, self._versions, renderings)
        analyses = Renderings(library, limits.library)  # which take long: what is played waits for none
        self._notes = Notes(library, analyses)
        self._facts = KnownFacts(library, analyses)

    def add_to(self, router: APIRouter) -> None:
        """Add the routes to those of the API."""
        wrong: dict[int | str, dict[str, object]] = {404: {"description": "There is no such job or result."}}
        get, job = ["GET"], "/jobs/{job}"
        router.add_api_route(f"{job}/lanes", self.lanes, methods=get, response_model=Sound, responses=wrong)
        router.add_api_route(
            f"{job}/files/{{name}}", self.file, methods=get, response_class=FileResponse, responses=wrong
        )
        router.add_api_route(f"{job}/facts", self.facts, methods=get, response_model=Facts, responses=wrong)
        router.add_api_route(f"{job}/zip", self.zip, methods=get, response_class=FileResponse, responses=wrong)
        router.add_api_route(f"{job}/peaks/{{name}}", self.peaks, methods=get, response_class=Response, responses=wrong)
        router.add_api_route(
            f"{job}/exports", self.export, methods=["POST"], status_code=201, response_model=Exported, responses=wrong
        )
        router.add_api_route(
            f"{job}/exports/{{export}}", self.exported, methods=get, response_class=FileResponse, responses=wrong
        )
        router.add_api_route(f"{job}/midi", self.midi, methods=get, response_class=FileResponse, responses=wrong)
        router.add_api_route(f"{job}/notes", self.notes, methods=get, response_model=Roll, responses=wrong)

    def lanes(self, job: str, version: Asked) -> Sound:
        """The names of the lanes, their sample rate and their length."""
        return self._versions.sound(job, version)

    def file(self, job: str, name: str, version: Asked) -> FileResponse:
        """A result by its name, or the song itself as `original`: whole or a range of its bytes.

        In another tempo or pitch, all lanes are computed when the first is asked for.
        """
        path = self._versions.path(job, name, version)
        suffix = path.name.partition(".")[2]
        return _saved(path, f"{_title(self._library.job(job))} - {name}.{suffix}")

    def peaks(self, job: str, name: str, version: Asked) -> Response:
        """The outline of a lane: 2000 pairs of int8, the lowest and the highest sample of equal parts."""
        return Response(self._versions.peaks(job, name, version), media_type="application/octet-stream")

    def facts(self, job: str) -> Facts:
        """The tempo, the beats and the key of the song, found when they are first asked for."""
        return self._facts.of(job)

    def zip(self, job: str) -> FileResponse:
        """All results in one zip file, as they are."""
        of, path = self._library.packed(job)
        return _saved(path, f"{_title(of)}.zip", background=BackgroundTask(path.unlink, missing_ok=True))

    def export(self, job: str, export: Export) -> Exported:
        """Make a file of the lanes: a mix, stems in another format, or a part of them. Its `id` fetches it."""
        return self._exports.make(job, export)

    def exported(self, job: str, export: str) -> FileResponse:
        """A file that was made, as long as it is kept."""
        path = self._exports.file(job, export)
        return _saved(path, f"{_title(self._library.job(job))} - {path.name}")

    def midi(self, job: str, quantise: bool = False) -> FileResponse:
        """The notes of the stems as a MIDI file; with `quantise` on the sixteenths of the beats.

        They are found when they are asked for first, which takes about 10 s for each minute of the song.
        """
        path = self._notes.midi(job, quantise)
        return _saved(path, f"{_title(self._library.job(job))}.mid", media_type="audio/midi")

    def notes(self, job: str) -> Roll:
        """The notes of the stems for a piano roll, found as for the MIDI file."""
        return self._notes.roll(job)


def _saved(path: Path, name: str, **options: Any) -> FileResponse:
    """A file with the name under which a client saves it; `curl -J` and others read only the form in ASCII."""
    plain = re.sub(r'[^ -~]|["\\]', "_", name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=utf-8''{quote(name)}"
    return FileResponse(path, filename=name, headers={"Content-Disposition": disposition}, **options)


def _title(job: Job) -> str:
    """What a song is called, as a name for a file, without the suffix of its own."""
    suffix = Path(job.name).suffix
    return safe_name(job.name.removesuffix(suffix) if suffix.lower() in SUFFIXES else job.name)
