"""The studio as a program of its own, which PyInstaller builds: it opens the browser and runs until it is closed.

Options are those of `htdemucs-n studio`. Where its port is in use, a free one is taken; where it cannot start, the
window stays open so that the message can be read.
"""

from __future__ import annotations

import socket
import sys

from htdemucs_n.cli.main import main

PORT = 8766
"""The studio's own."""


def free_port() -> int:
    """`PORT`, or 0, which lets the system choose, where another program listens on it."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return 0
    return PORT


def run() -> None:
    """Start the studio."""
    sys.argv = ["htdemucs-n", "studio", "--port", str(free_port()), *sys.argv[1:]]
    try:
        main()
    except SystemExit as ended:
        if ended.code and sys.stdin is not None and sys.stdin.isatty():
            input("Press Enter to close this window.")
        raise


if __name__ == "__main__":
    run()
