"""The application: the API, health, readiness and metrics, behind the guard and the limits."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import AsyncIterator, Iterator

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from htdemucs_n import __version__
from htdemucs_n.errors import OutputError, UserError
from htdemucs_n.separation import Separator
from htdemucs_n.service.api import Api
from htdemucs_n.service.library import Library, NoSuchJob
from htdemucs_n.service.limits import LimitedBody
from htdemucs_n.service.metrics import Metrics
from htdemucs_n.service.page import page_router
from htdemucs_n.service.progress import Changes
from htdemucs_n.service.queue import JobRunning, Queue, QueueFull
from htdemucs_n.service.request_log import RequestLog
from htdemucs_n.service.security import Guard
from htdemucs_n.service.separators import Load, Separators
from htdemucs_n.service.settings import Settings
from htdemucs_n.service.wrong_requests import ExplainedRanges, wrong_field, wrong_request

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""A full disk, and a quota that is used up, which Windows has not."""

_STATUS = {NoSuchJob: 404, JobRunning: 409, QueueFull: 429, OutputError: 507}
"""The status of an error; 422 for all others that the client can correct."""


@contextlib.contextmanager
def opened_app(settings: Settings, separator: Separator, model: str, load: Load | None = None) -> Iterator[FastAPI]:
    """The application of a library, which is used until the block ends; `model` is the name of the separator's model.

    `load` loads other models and engines that jobs name.

    Raises:
        UserError: the library cannot be used.
    """
    changes, metrics = Changes(), Metrics()
    library = Library(settings.library, changes.publish)
    try:
        separators = Separators(separator, model, load)
        queue = Queue(library, separators, settings.limits, metrics)
        metrics.watch("htdemucs_n_jobs_waiting", "Jobs that wait.", lambda: len(queue))
        metrics.watch("htdemucs_n_jobs", "Jobs of the library.", lambda: len(library.jobs()))
        metrics.watch("htdemucs_n_library_bytes", "Size of the library.", library.size)
        api = Api(library, queue, changes, settings, separators)
        yield _app(settings, api, queue, metrics)
    finally:
        library.close()


def _app(settings: Settings, api: Api, queue: Queue, metrics: Metrics) -> FastAPI:
    @contextlib.asynccontextmanager
    async def working(app: FastAPI) -> AsyncIterator[None]:
        queue.start()
        try:
            yield
        finally:
            queue.close()

    app = FastAPI(
        title="htdemucs-n",
        summary="Separate songs into drums, bass, other and vocals.",
        version=__version__,
        lifespan=working,
        docs_url=None,  # the pages of FastAPI load scripts of other sites
        redoc_url=None,
    )
    app.include_router(api.router())
    if settings.page:
        app.include_router(page_router())
    _add_state(app, queue, metrics)
    app.add_exception_handler(UserError, _explain)
    app.add_exception_handler(RequestValidationError, _explain_request)
    app.add_exception_handler(HTTPException, _explain_http)
    app.add_middleware(ExplainedRanges)
    app.add_middleware(LimitedBody, most=settings.limits.upload)
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    app.add_middleware(RequestLog, metrics=metrics)
    return app


def _add_state(app: FastAPI, queue: Queue, metrics: Metrics) -> None:
    """The routes that watch the service."""

    @app.get("/health", tags=["state"], response_class=PlainTextResponse)
    def health() -> str:
        """200 while the process answers."""
        return "ok\n"

    @app.get("/ready", tags=["state"], response_class=PlainTextResponse)
    def ready() -> PlainTextResponse:
        """200 while jobs are being separated, 503 otherwise."""
        return PlainTextResponse("ready\n") if queue.is_working else PlainTextResponse("stopping\n", 503)

    @app.get("/metrics", tags=["state"], response_class=PlainTextResponse)
    def read_metrics() -> PlainTextResponse:
        """The metrics in the text format of Prometheus."""
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _explain(request: Request, error: Exception) -> JSONResponse:
    """What a client can correct, in one line."""
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 422)
    return JSONResponse({"detail": str(error)}, status, {"Retry-After": "60"} if status == 429 else None)


async def _explain_http(request: Request, error: Exception) -> JSONResponse:
    """What the framework finds wrong; a disk that is full while a song is received is not the client's mistake."""
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, OSError) and error.__cause__.errno in _FULL:
        return JSONResponse({"detail": "the disk for songs that are being received is full: make room"}, 507)
    return JSONResponse({"detail": wrong_request(error, request.method)}, error.status_code, error.headers)


async def _explain_request(request: Request, error: Exception) -> JSONResponse:
    """Fields that are missing or wrong, in one line."""
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"detail": "; ".join(map(wrong_field, error.errors()))}, 422)
