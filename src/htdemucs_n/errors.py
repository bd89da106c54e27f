"""The exceptions that callers are meant to see."""

from __future__ import annotations

import difflib
from collections.abc import Collection


class UserError(Exception):
    """A mistake the user can mend: the message is one line that names the file or key and the mend.

    The command line prints it without a traceback and exits with status 1; library callers may catch it.
    """


class Cancelled(Exception):
    """The caller asked for the work to stop, and it did."""


def suggestion(wrong: str, known: Collection[str]) -> str:
    """The end of a message about an unknown name: `did you mean 'x'?`, or all that is known where nothing is near."""
    near = difflib.get_close_matches(wrong, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
