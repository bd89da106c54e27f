"""What an installation takes on the disk: a package, everything that it requires in turn, and nothing else.

The sizes are those of the files of the packages in this environment, so that nothing has to be installed anew. The
trained weights of `htdemucs-n` are not counted.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

WEIGHTS = "htdemucs_n/models/weights/"


@dataclass(frozen=True)
class Installed:
    """A requirement, such as `htdemucs-n[openvino]`, with the number of packages that it brings and their MiB."""

    requirement: str
    packages: int
    mib: float


def measure(requirements: Iterable[str]) -> list[Installed]:
    """What each requirement takes.

    Raises:
        importlib.metadata.PackageNotFoundError: a package that one of them needs is not installed.
    """
    sets = {requirement: required_packages(requirement) for requirement in requirements}
    return [Installed(requirement, len(names), installed_mib(names)) for requirement, names in sets.items()]


def table(rows: Iterable[Installed]) -> list[str]:
    """The results in Markdown."""
    lines = ["| installation | packages | MiB |", "|---|---:|---:|"]
    return lines + [f"| `{row.requirement}` | {row.packages} | {row.mib:.0f} |" for row in rows]


def required_packages(requirement: str) -> set[str]:
    """The names of the distribution of a requirement and of all that it requires in turn.

    Raises:
        importlib.metadata.PackageNotFoundError: a package is not installed.
    """
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(requirement)]
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            if (key := (canonicalize_name(wanted.name), extra)) not in seen:
                seen.add(key)
                waiting += _requirements(wanted.name, extra)
    return {name for name, _ in seen}


def _requirements(name: str, extra: str) -> Iterator[Requirement]:
    """What a distribution requires here with an extra that is not there without it; `""` stands for no extra."""
    for line in importlib.metadata.requires(name) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        always = marker is None or marker.evaluate({"extra": ""})
        if always if not extra else not always and marker is not None and marker.evaluate({"extra": extra}):
            yield requirement


def installed_mib(names: set[str]) -> float:
    """The MiB of all files of distributions, those of the compiled modules included."""
    return sum(path.stat().st_size for name in names for path in _files(name)) / 2**20


def _files(name: str) -> Iterator[Path]:
    """The files of a distribution that exist, without trained weights. An editable installation lists no modules."""
    files = [Path(str(file.locate())) for file in importlib.metadata.files(name) or ()]
    if name == "htdemucs-n" and not any(path.parent.name == "htdemucs_n" for path in files):
        for package in ("htdemucs_n", "song_maker"):
            if (found := find_spec(package)) and found.origin:
                files += Path(found.origin).parent.rglob("*")
    for path in files:
        if path.is_file() and WEIGHTS not in path.as_posix():
            yield path
