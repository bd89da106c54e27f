"""The one exception a user is meant to read."""

from __future__ import annotations


class UserError(Exception):
    """A mistake the user can mend: the message is one line that names the file or key and the mend.

    The command line prints it without a traceback and exits with status 1; library callers may catch it.
    """
