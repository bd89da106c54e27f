"""The files that describe the project agree with the package."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import yaml

from htdemucs_n import __version__
from process_helpers import EXTRAS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOT_PINNED = {"demucs", "htdemucs-n"}
"""What CI does not install, and the package itself."""

sys.path.insert(0, str(ROOT / "scripts"))

from lowest_versions import lowest_versions  # noqa: E402


def test_the_citation_names_the_version_and_both_licences() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == "MIT"
    assert "LICENSE-WEIGHTS.md" in citation["abstract"] and (ROOT / "LICENSE-WEIGHTS.md").exists()


def test_the_changelog_has_a_section_of_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.M)


def test_lowest_versions_are_exact() -> None:
    assert lowest_versions(["av>=16", "numpy>=1.24"]) == ["av==16", "numpy==1.24"]


def package(requirement: str) -> str:
    """The name in a requirement."""
    return re.split(r"[\[<>=]", requirement)[0]


def test_the_core_needs_none_of_the_packages_of_the_extras() -> None:
    core = {package(requirement).lower() for requirement in PROJECT["dependencies"]}
    assert "onnxruntime" in core and not core & set(EXTRAS)


def test_every_dependency_is_pinned_under_its_section() -> None:
    """The first section has what the core needs, and nothing else."""
    sections = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n\n")
    pinned = [{package(line) for line in section.splitlines() if not line.startswith("#")} for section in sections]
    assert pinned[1] == {package(requirement) for requirement in PROJECT["dependencies"]}
    extras = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]
    assert {package(r).lower() for r in extras} - NOT_PINNED <= {name.lower() for name in set().union(*pinned)}
