"""The exceptions that callers are meant to see::

    UserError
      OptionError    an option has a value that does not fit; the command exits with status 2
      ConfigError    a configuration key is unknown, or has a value that does not fit
      ModelError     a model is unknown, or its checkpoint or its output cannot be used
      AudioError     audio cannot be read, decoded or separated
      DeviceError    the device, its memory or the environment of the process does not allow the work
      OutputError    a file cannot be written
    Cancelled        the caller asked for the work to stop

Every message is one line that names the file, key or option and the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from importlib.util import find_spec


class UserError(Exception):
    """A mistake that the user can correct: the message is one line that names the file or key and the remedy.

    The command line prints it without a traceback and exits with status 1, or 2 for an `OptionError`; library callers
    may catch it.
    """


class OptionError(UserError):
    """An option has a value that does not fit."""


class ConfigError(UserError):
    """A configuration key is unknown, or has a value that does not fit."""


class ModelError(UserError):
    """A model is unknown, or its checkpoint or its output cannot be used."""


class AudioError(UserError):
    """Audio cannot be read, decoded or separated."""


class DeviceError(UserError):
    """The device, its memory or the environment of the process does not allow the work."""


class OutputError(UserError):
    """A file cannot be written."""


class Cancelled(Exception):
    """The caller asked for the work to stop, and it did."""


def missing_package(what: str, package: str, extra: str | None) -> UserError:
    """The error that `what` needs a `package` which is not installed, and which the `extra` of htdemucs-n brings.

    Without an `extra`, it is a package that comes with htdemucs-n itself, and that has been removed since.
    """
    brings = f'"htdemucs-n[{extra}]"' if extra else package
    return UserError(f"{what} needs the package {package}, which is not installed: pip install {brings}")


def damaged_package(what: str, package: str, error: Exception) -> UserError:
    """The error that `what` needs a `package` which is installed, and whose import failed with `error`."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(
        f"{what} needs the package {package}, which is damaged ({reason}): pip install --force-reinstall {package}"
    )


def require_packages(what: str, extra: str | None, *packages: str) -> None:
    """Raise `UserError` unless all `packages` are installed, without importing them.

    The `extra` is as in `missing_package`. A command calls this before its work.
    """
    for package in packages:
        if find_spec(package) is None:
            raise missing_package(what, package, extra)


def suggestion(wrong: str, known: Collection[str]) -> str:
    """The end of a message about an unknown name: `did you mean 'x'?`, or the known names where none is similar."""
    similar = [name for name in difflib.get_close_matches(wrong, known) if name != wrong]
    return f"did you mean '{similar[0]}'?" if similar else f"known: {', '.join(known)}"
