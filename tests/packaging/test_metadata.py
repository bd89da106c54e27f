"""The files that describe the project agree with the package."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

from htdemucs_n import __version__

ROOT = Path(__file__).parents[2]
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


def test_lowest_versions_are_exact_and_leave_torch_out() -> None:
    assert lowest_versions(["av>=16", "torch>=2.2", "numpy>=1.24"]) == ["av==16", "numpy==1.24"]
