"""What the service is told when it starts: where it listens, who may use it, and how much they may use."""

from __future__ import annotations

import ipaddress
import os
import ssl
import sys
from dataclasses import dataclass, field
from pathlib import Path

from htdemucs_n.errors import OptionError
from htdemucs_n.files import is_file, is_folder

_SHORTEST_TOKEN = 16
"""Characters."""


@dataclass(frozen=True)
class Limits:
    """How much the service takes: bytes of a song, seconds of a song, songs that wait, and bytes of the library."""

    upload: int = 500 * 2**20
    seconds: float = 3600.0
    queue: int = 100
    library: int = 50 * 2**30

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                option = "minutes" if name == "seconds" else name
                raise OptionError(f"--max-{option} is not above 0: give a larger number")


@dataclass(frozen=True)
class Settings:
    """Where and for whom the service runs.

    Args:
        library: the folder of the library.
        host: the address to listen on. Any but loopback needs a token.
        port: 0 takes any that is free.
        folder: songs may be submitted by their paths in this folder; None: they may not.
        hosts: names, besides `localhost` and addresses, under which the service may be asked.
        token: what a client has to show in the header `Authorization: Bearer`; None: nothing.
        page: whether the page of the studio is served.
        certificate: with `key`, files for HTTPS.
        limits: how much clients may use.

    Raises:
        OptionError: a token that is missing or short, a certificate without its key, or files that are not there or
            cannot be used.
    """

    library: Path
    host: str = "127.0.0.1"
    port: int = 8765
    folder: Path | None = None
    hosts: tuple[str, ...] = ()
    token: str | None = None
    page: bool = False
    certificate: Path | None = None
    key: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise OptionError(
                f"--host {self.host}: others can reach this address, so give a token with --token-file, "
                "or in the variable HTDEMUCS_N_TOKEN"
            )
        if self.token is not None and not (self.token.isascii() and len(self.token) >= _SHORTEST_TOKEN):
            raise OptionError(f"the token has to have {_SHORTEST_TOKEN} ASCII characters or more")
        if (self.certificate is None) != (self.key is None):
            raise OptionError("--cert and --key belong together: give both")
        for file in (self.certificate, self.key):
            if file is not None and not is_file(file):
                raise OptionError(f"'{file}' is not a file: give the certificate and its key as PEM files")
        if self.certificate is not None and self.key is not None:
            _check_certificate(self.certificate, self.key)
        if self.folder is not None and not is_folder(self.folder):
            raise OptionError(f"--allow-folder {self.folder}: this is not a folder")


def _check_certificate(certificate: Path, key: Path) -> None:
    """Raise `OptionError` where a server cannot use the files. A service has nobody to ask for a password."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:  # errors of ssl are an OSError
        raise OptionError(
            f"--cert {certificate} and --key {key} cannot be used ({error}): "
            "give a certificate and its own key, without a password, as PEM files"
        ) from None


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_token(file: Path | None) -> str | None:
    """The token of a file, or of the variable `HTDEMUCS_N_TOKEN`; None where there is neither.

    Raises:
        OptionError: the file cannot be read.
    """
    if file is None:
        return os.environ.get("HTDEMUCS_N_TOKEN")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"--token-file {file} cannot be read ({error}): write the token into it as text") from None


def default_library() -> Path:
    """The folder `htdemucs-n/library` where the user's system keeps the data of programs."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    if chosen := os.environ.get("XDG_DATA_HOME"):
        root = Path(chosen)
    elif sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA", home))
    else:
        root = home / "Library/Application Support" if sys.platform == "darwin" else home / ".local/share"
    return root / "htdemucs-n" / "library"
