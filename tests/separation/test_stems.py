"""Which stems are written, and that a pair adds up."""

from __future__ import annotations

import numpy as np
import pytest

from htdemucs_n.errors import UserError
from htdemucs_n.separation import StemChoice

SOURCES = ("drums", "bass", "other", "vocals")
RNG = np.random.default_rng(0)
STEMS = {name: (RNG.integers(-8000, 8000, (2, 100)) / 32768).astype(np.float32) for name in SOURCES}


@pytest.mark.parametrize("method", ["add", "minus"])
def test_two_stems_add_up_to_all(method: str) -> None:
    choice = StemChoice(SOURCES, two_stems="vocals", other_method=method)
    vocals, rest = choice.pick(STEMS)
    assert choice.names == ("vocals", "no_vocals")
    assert np.array_equal(vocals, STEMS["vocals"])
    assert np.array_equal(rest, STEMS["drums"] + STEMS["bass"] + STEMS["other"])


@pytest.mark.parametrize("method", ["add", "minus", "none"])
def test_instrumental_and_vocals(method: str) -> None:
    choice = StemChoice(SOURCES, two_stems="instrumental", other_method=method)
    assert choice.names == (("instrumental",) if method == "none" else ("instrumental", "vocals"))
    expected = [STEMS["drums"] + STEMS["bass"] + STEMS["other"], STEMS["vocals"]]
    assert all(np.array_equal(a, b) for a, b in zip(choice.pick(STEMS), expected, strict=method != "none"))


def test_a_model_may_have_a_stem_called_instrumental() -> None:
    choice = StemChoice(("vocals", "instrumental"), two_stems="instrumental")
    picked = choice.pick({"vocals": STEMS["vocals"], "instrumental": STEMS["bass"]})
    assert choice.names == ("instrumental", "no_instrumental")
    assert np.array_equal(picked[0], STEMS["bass"]) and np.array_equal(picked[1], STEMS["vocals"])


def test_instrumental_needs_vocals() -> None:
    with pytest.raises(UserError, match="no stem 'vocals'"):
        StemChoice(("drums", "bass"), two_stems="instrumental")


def test_one_stem_alone() -> None:
    choice = StemChoice(SOURCES, two_stems="bass", other_method="none")
    (bass,) = choice.pick(STEMS)
    assert choice.names == ("bass",) and np.array_equal(bass, STEMS["bass"])


def test_some_stems_in_the_given_order() -> None:
    choice = StemChoice(SOURCES, stems=["vocals", "drums", "vocals"])
    assert choice.names == ("vocals", "drums")
    assert all(np.array_equal(a, STEMS[b]) for a, b in zip(choice.pick(STEMS), choice.names, strict=True))


def test_all_stems() -> None:
    assert StemChoice(SOURCES).names == SOURCES


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"two_stems": "guitar"}, "no stem 'guitar'"), ({"stems": ["drum"]}, "did you mean 'drums'"),
        ({"stems": ["drums/kick"]}, "add --drum-kit"),
        ({"stems": ["drums"], "two_stems": "bass"}, "exclude"), ({"two_stems": "bass", "other_method": "x"}, "method"),
    ],
)  # fmt: skip
def test_choices_that_there_are_not(options: dict[str, str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        StemChoice(SOURCES, **options)  # type: ignore[arg-type]
