"""The HTTP API: submit songs; follow, cancel, rename and delete jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile, status
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse

from htdemucs_n.audio import open_audio
from htdemucs_n.errors import AudioError, UserError
from htdemucs_n.service.job import Job, Options
from htdemucs_n.service.library import Library, Upload, check_room, without_path
from htdemucs_n.service.login import Login
from htdemucs_n.service.progress import Changes
from htdemucs_n.service.queue import Queue
from htdemucs_n.service.results import Results
from htdemucs_n.service.separators import AUTO, KnownModel, Separators
from htdemucs_n.service.settings import Settings
from htdemucs_n.service.wrong_requests import wrong_field

_LONGEST_NAME = 200


class PathRequest(Options):
    """A song in the folder that the service was given with `--allow-folder`."""

    model: str | None = Field(default=None, description="one of `GET /library`")
    engine: str = Field(default=AUTO, description="one of `GET /library`")
    path: str = Field(description="relative to the folder, or absolute inside of it")


class Rename(BaseModel):
    """A new name of a song."""

    name: str = Field(min_length=1, max_length=_LONGEST_NAME)


async def _check_fields(request: Request) -> None:
    """Refuse fields of a form that an upload does not have, and those that are given twice; FastAPI ignores both."""
    names = [name for name, _ in (await request.form()).multi_items()]
    known = {"file", "model", "engine", *Options.model_fields}
    for name in names:
        if name not in known:
            raise UserError(wrong_field({"type": "extra_forbidden", "loc": ("body", name)}))
        if names.count(name) > 1:
            raise UserError(f"'{name}' is given twice: send one song in each request, and each option once")


class Description(BaseModel):
    """What a page shows of a service."""

    bytes: int = Field(description="size of the library")
    most: int = Field(description="what it may hold, bytes")
    models: list[KnownModel] = Field(description="what a job may name; the first is that of jobs that name none")
    engines: list[str] = Field(description="what a job may name; auto suits the computer")
    analyses: bool = Field(description="whether tempo, key and notes are found: librosa and mido are installed")


class Api:
    """The routes of one service, with what they act on."""

    def __init__(
        self, library: Library, queue: Queue, changes: Changes, settings: Settings, separators: Separators
    ) -> None:
        self._library, self._queue, self._changes = library, queue, changes
        self._settings, self._separators = settings, separators

    def router(self) -> APIRouter:
        """All routes below `/api/v1`."""
        router = APIRouter(prefix="/api/v1", tags=["jobs"])
        wrong: dict[int | str, dict[str, object]] = {404: {"description": "There is no such job."}}
        router.add_api_route(
            "/jobs",
            self.upload,
            methods=["POST"],
            status_code=201,
            response_model=Job,
            dependencies=[Depends(_check_fields)],
        )
        router.add_api_route("/jobs/from-path", self.from_path, methods=["POST"], status_code=201, response_model=Job)
        router.add_api_route("/jobs", self.jobs, methods=["GET"], response_model=list[Job])
        router.add_api_route("/events", self.all_events, methods=["GET"], response_class=EventSourceResponse)
        router.add_api_route("/jobs/{job}", self.job, methods=["GET"], response_model=Job, responses=wrong)
        router.add_api_route("/jobs/{job}", self.rename, methods=["PATCH"], response_model=Job, responses=wrong)
        router.add_api_route("/jobs/{job}", self.delete, methods=["DELETE"], status_code=204, responses=wrong)
        router.add_api_route("/jobs/{job}/cancel", self.cancel, methods=["POST"], response_model=Job, responses=wrong)
        router.add_api_route(
            "/jobs/{job}/events", self.events, methods=["GET"], response_class=EventSourceResponse, responses=wrong
        )
        router.add_api_route("/library", self.describe, methods=["GET"], response_model=Description)
        Login(self._settings).add_to(router)
        Results(self._library, self._settings.limits).add_to(router)
        return router

    def upload(
        self,
        response: Response,
        file: Annotated[UploadFile, File(description="the song, an audio or video file")],
        format: Annotated[str, Form()] = "wav",
        depth: Annotated[str | None, Form()] = None,
        bitrate: Annotated[int | None, Form()] = None,
        two_stems: Annotated[str | None, Form()] = None,
        drum_kit: Annotated[bool, Form()] = False,
        model: Annotated[str | None, Form()] = None,
        engine: Annotated[str, Form()] = AUTO,
    ) -> Job:
        """Submit a song. 201 for a new job; 200 for one that is there: the same content with the same options."""
        options = Options(format=format, depth=depth, bitrate=bitrate, two_stems=two_stems, drum_kit=drum_kit)
        self._queue.check(options, model or self._separators.model, engine)
        check_room(self._library, self._settings.limits.library, file.size or 0)
        return self._submit(response, file.file, file.filename or "song", options, model, engine)

    def from_path(self, response: Response, request: PathRequest) -> Job:
        """Submit a song by its path in the allowed folder, as `POST /jobs` does."""
        path = self._allowed(request.path)
        options = Options(**request.model_dump(exclude={"path", "model", "engine"}))
        self._queue.check(options, request.model or self._separators.model, request.engine)
        size = path.stat().st_size
        if size > self._settings.limits.upload:
            raise AudioError(f"the file is too large: it may have {self._settings.limits.upload / 2**20:.0f} MiB")
        check_room(self._library, self._settings.limits.library, size)
        with path.open("rb") as file:
            return self._submit(response, file, path.name, options, request.model, request.engine)

    def describe(self) -> Description:
        """What the library holds and may hold, and the models and engines that there are."""
        return Description(
            bytes=self._library.size(),
            most=self._settings.limits.library,
            models=self._separators.models(),
            engines=self._separators.engines(),
            analyses=all(find_spec(package) for package in ("librosa", "mido")),
        )

    def jobs(self) -> list[Job]:
        """All jobs, in the order in which they were submitted."""
        return self._library.jobs()

    def job(self, job: str) -> Job:
        """One job: its state, its progress and the names of its results."""
        return self._library.job(job)

    def rename(self, job: str, request: Rename) -> Job:
        """Call a song otherwise."""
        return self._library.change(job, name=request.name)

    def delete(self, job: str) -> None:
        """Delete a job and its results. 409 while it runs: cancel it first."""
        self._queue.delete(job)

    def cancel(self, job: str) -> Job:
        """Cancel a job; a running one stops within seconds. Jobs that have ended stay as they are."""
        return self._queue.cancel(job)

    async def events(self, job: str) -> EventSourceResponse:
        """The job as server-sent events `job`, now and after every change, until it ends."""
        self._library.job(job)

        async def stream() -> AsyncIterator[dict[str, str]]:
            async for state in self._changes.follow(job, self._library.job):
                yield {"event": "job", "data": state.model_dump_json()}

        return EventSourceResponse(stream())

    async def all_events(self) -> EventSourceResponse:
        """All jobs as server-sent events `job`, now and after every change; `deleted` has the id of a deleted one."""

        async def stream() -> AsyncIterator[dict[str, str]]:
            async for state in self._changes.follow_all(self._library.jobs, self._library.job):
                if isinstance(state, Job):
                    yield {"event": "job", "data": state.model_dump_json()}
                else:
                    yield {"event": "deleted", "data": state}

        return EventSourceResponse(stream())

    def _submit(
        self, response: Response, file: BinaryIO, name: str, options: Options, model: str | None, engine: str
    ) -> Job:
        name = Path(name.replace("\\", "/")).name[:_LONGEST_NAME] or "song"
        upload = self._library.receive(file)
        try:
            seconds = self._seconds(upload, name)
            job, is_new = self._library.submit(upload, name, options, model or self._separators.model, engine, seconds)
        finally:
            upload.path.unlink(missing_ok=True)
        if is_new:
            self._queue.add(job)
        else:
            response.status_code = status.HTTP_200_OK
        return job

    def _seconds(self, upload: Upload, name: str) -> float | None:
        """The length of a song, where its header says it. Raises `UserError` for what is no audio or too long."""
        try:
            with open_audio(upload.path) as audio:
                seconds = None if audio.length is None else audio.length / audio.sample_rate
        except UserError as error:
            raise AudioError(without_path(error, upload.path, name)) from None
        most = self._settings.limits.seconds
        if seconds is not None and seconds > most:
            raise AudioError(f"'{name}' is {seconds / 60:.1f} minutes long: {most / 60:g} minutes are the limit")
        return seconds

    def _allowed(self, text: str) -> Path:
        """The file of a path in the allowed folder. Raises `UserError`, the same for all that is not one."""
        if self._settings.folder is None:
            raise UserError("songs are not taken by their paths: start the service with --allow-folder")
        folder = self._settings.folder.resolve()
        try:
            path = (folder / text).resolve(strict=True)
            if path.is_relative_to(folder) and path.is_file():
                return path
        except (OSError, ValueError, RuntimeError):
            pass
        raise UserError("there is no such file in the allowed folder")
