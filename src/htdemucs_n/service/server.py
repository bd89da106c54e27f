"""Run the application with uvicorn, until the process is told to end."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator

import uvicorn

from htdemucs_n.errors import UserError
from htdemucs_n.separation import Separator
from htdemucs_n.service.app import opened_app
from htdemucs_n.service.logs import log_as_json
from htdemucs_n.service.separators import Load
from htdemucs_n.service.settings import Settings
from htdemucs_n.service.slow_headers import ImpatientProtocol

_CONNECTIONS = 256
_TAKEN = (errno.EADDRINUSE, errno.EACCES)
"""A port that another program has, and one that only the system may use."""
_SECONDS_TO_STOP = 10
"""For requests that are being answered when the service is told to end."""


def serve(
    settings: Settings,
    separator: Separator,
    model: str,
    on_start: Callable[[str], object] = lambda url: None,
    log_level: int = logging.INFO,
    load: Load | None = None,
) -> None:
    """Answer requests until SIGINT or SIGTERM. A job that is running then waits in the library for the next start.

    `on_start` is called with the address when it can be asked. Messages of `log_level` and above are logged.
    `load` loads other models and engines that jobs name.

    Raises:
        UserError: the address or the library cannot be used.
    """
    log_as_json(log_level)
    with opened_app(settings, separator, model, load) as app, _listening(settings) as listener:
        config = uvicorn.Config(
            app,
            http=ImpatientProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_SECONDS_TO_STOP,
        )
        url = _url(settings, listener)
        logging.getLogger(__name__).info("listening", extra={"url": url})
        on_start(url)
        uvicorn.Server(config).run(sockets=[listener])


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """A socket that listens on the address. Raises `UserError` where that is not possible."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=128)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # Python adds the address
        mend = "choose another --port" if error.errno in _TAKEN else "check --host and --port"
        raise UserError(f"cannot listen on {settings.host} port {settings.port} ({reason}): {mend}") from None
    with listener:
        yield listener


def _url(settings: Settings, listener: socket.socket) -> str:
    """Where the service is."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'http' if settings.certificate is None else 'https'}://{host}:{listener.getsockname()[1]}"
