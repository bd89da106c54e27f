"""Which errors of disks and object stores may pass, and trying again with growing pauses."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

ATTEMPTS = 6
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds."""

_FINAL = (FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)

_PASSING = {
    getattr(errno, name)
    for name in ("EBUSY", "EIO", "EREMOTEIO", "EAGAIN", "ETIMEDOUT", "ECONNRESET", "EPIPE", "ENETUNREACH")
    if hasattr(errno, name)
}
"""What object stores say when they are busy or failed (`s3fs.errors`), and what networks say."""

_NETWORK_PACKAGES = ("aiohttp", "aiobotocore", "botocore", "urllib3", "gcsfs", "google")

_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError")


def may_pass(error: BaseException) -> bool:
    """Whether an operation that failed may succeed later: the network, a busy or failing server, a timeout."""
    if isinstance(error, _FINAL) or type(error).__name__ in _CREDENTIALS:
        return False
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _PASSING
    return type(error).__module__.partition(".")[0] in _NETWORK_PACKAGES


def is_of_storage(error: BaseException) -> bool:
    """Whether a disk, an object store, its credentials or the network raised an error, and not a fault of the code."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _NETWORK_PACKAGES


def first_line(error: BaseException) -> str:
    """What an error says, in one line, without the paths that an error of a disk has."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return error.strerror
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def retried(operation: Callable[[], Result], attempts: int = ATTEMPTS) -> Result:
    """The result of `operation`, which is tried again after pauses of about 0.5, 1, 2, ... seconds.

    Raises:
        Exception: its last error, or the first that cannot pass.
    """
    pause = _FIRST_PAUSE
    for _ in range(attempts - 1):
        try:
            return operation()
        except Exception as error:
            if not may_pass(error):
                raise
        time.sleep(pause * random.uniform(0.75, 1.25))  # so that many workers do not come back at one moment
        pause = min(2 * pause, _LONGEST_PAUSE)
    return operation()
