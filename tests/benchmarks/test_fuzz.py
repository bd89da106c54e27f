"""A few of the damaged files that `benchmarks/fuzz.py` makes by the thousand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from audio_helpers import SplitEngine, use_engine

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from fuzz import FORMATS, fuzz, mutate

GOOD = {"separated", "refused"}


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_separated_or_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    use_engine(monkeypatch, SplitEngine())
    results = list(fuzz(name, range(30), seed=1))
    assert len(results) == 30
    assert [(number, result) for number, result in enumerate(results) if result not in GOOD] == []
    assert "separated" in results  # what is readable is read


def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("htdemucs_n.separation.separator.load_engine", broken)
    (result,) = fuzz("wav", range(1), seed=0)
    assert "ZeroDivisionError" in result


def test_the_same_number_makes_the_same_file() -> None:
    import numpy as np

    data = bytes(range(256)) * 4
    once, again, other = (mutate(data, np.random.default_rng([0, number])) for number in (3, 3, 4))
    assert once == again != other and once != data
