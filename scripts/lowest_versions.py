"""Print the lowest version that pyproject.toml allows of each dependency, as constraints for pip.

python scripts/lowest_versions.py > lowest.txt
python -m pip install -c lowest.txt .
"""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def lowest_versions(requirements: list[str]) -> list[str]:
    """`name==version` for each of `name>=version`."""
    return [requirement.replace(">=", "==") for requirement in requirements]


if __name__ == "__main__":
    print("\n".join(lowest_versions(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"])))
