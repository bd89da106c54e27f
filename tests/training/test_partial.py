"""Songs that are known in part: how files are read as stems, sums and remainders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from htdemucs_n.errors import UserError
from htdemucs_n.training.data import load_data
from htdemucs_n.training.partial import load_partial
from training_helpers import SOURCES, tiny_config

RATE = 44100


def write(folder: Path, **files: float) -> None:
    """Constant recordings of 1,000 samples; `__` in a name stands for +."""
    folder.mkdir(parents=True)
    for name, value in files.items():
        samples = np.full((1000, 2), round(value * 32768), dtype=np.int16)
        soundfile.write(folder / f"{name.replace('__', '+')}.wav", samples, RATE)


def known(folder: Path) -> dict[tuple[str, ...], float]:
    """The level of each recording of the only song, by the names of its sources."""
    (song,) = load_partial([folder], SOURCES, RATE, workers=1)
    levels = [0.0 if stem is None else float(stem[0, 0]) / 32768 for stem in song.stems]
    return {tuple(SOURCES[i] for i in group): level for group, level in zip(song.groups, levels, strict=True)}


@pytest.mark.parametrize(
    "rest",
    [
        "rest",
        "instrumental",
        "accompaniment",
        "backing",
        "Instrumental-1",
        "backing track (2)",
        "no_vocals",
        "No Vocals 2",
    ],
)
def test_a_stem_and_the_rest(tmp_path: Path, rest: str) -> None:
    write(tmp_path / "songs" / "a", **{"Lead Vocals": 0.25, rest: 0.5})
    assert known(tmp_path / "songs") == {("drums", "bass", "other"): 0.5, ("vocals",): 0.25}


def test_backing_vocals_are_vocals(tmp_path: Path) -> None:
    write(tmp_path / "songs" / "a", **{"backing vocals": 0.25, "lead vocals": 0.25, "rest": 0.125})
    assert known(tmp_path / "songs") == {("drums", "bass", "other"): 0.125, ("vocals",): 0.5}


def test_what_a_stem_was_taken_out_of(tmp_path: Path) -> None:
    """It is the sum of the others: the stem is what the mixture has beside it."""
    write(tmp_path / "songs" / "a", no_bass=0.25, mixture=0.75)
    assert known(tmp_path / "songs") == {("drums", "other", "vocals"): 0.25, ("bass",): 0.5}


def test_a_name_in_two_formats_is_one_recording(tmp_path: Path) -> None:
    write(tmp_path / "songs" / "a", vocals=0.25, rest=0.5)
    soundfile.write(tmp_path / "songs" / "a" / "vocals.flac", np.full((1000, 2), 8192, dtype=np.int16), RATE)
    assert known(tmp_path / "songs") == {("drums", "bass", "other"): 0.5, ("vocals",): 0.25}


def test_a_mixture_beside_all_stems_is_not_needed(tmp_path: Path) -> None:
    write(tmp_path / "songs" / "a", vocals=0.25, drums__bass__other=0.5)
    (tmp_path / "songs" / "a" / "mixture.wav").write_text("not even audio")
    assert known(tmp_path / "songs") == {("drums", "bass", "other"): 0.5, ("vocals",): 0.25}


def test_a_sum_of_stems(tmp_path: Path) -> None:
    write(tmp_path / "songs" / "a", guitar=0.25, drums__bass__vocals=0.5)
    assert known(tmp_path / "songs") == {("drums", "bass", "vocals"): 0.5, ("other",): 0.25}


def test_what_a_mixture_holds_beside_a_stem(tmp_path: Path) -> None:
    write(tmp_path / "songs" / "a", drums=0.25, mixture=0.75)
    assert known(tmp_path / "songs") == {("drums",): 0.25, ("bass", "other", "vocals"): 0.5}


def test_what_a_loud_mixture_holds_is_not_clipped(tmp_path: Path) -> None:
    """The remainder is -1.5 times full scale: the whole song is divided by 1.5."""
    write(tmp_path / "songs" / "a", drums=0.75, mixture=-0.75)
    levels = known(tmp_path / "songs")
    assert levels[("drums",)] == pytest.approx(0.5, abs=1e-4)
    assert levels[("bass", "other", "vocals")] == pytest.approx(-1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"vocals": 0.1}, "rest or mixture"),
        ({"mixture": 0.1}, "give a stem"),
        ({"rest": 0.1}, "give a stem"),
        ({"rest": 0.1, "mixture": 0.1}, "give a stem"),
        ({"no_vocals": 0.1}, "rest or mixture"),
        ({"no_vocals": 0.1, "drums": 0.1}, "two files"),
        ({"no_guitar": 0.1, "guitar": 0.1}, "no_guitar"),
        ({"vocals": 0.1, "drums__bass__other": 0.1, "rest": 0.1}, r"'rest\.wav' .* remove it"),
        ({"drums": 0.1, "mixture": 0.1, "Full Mix": 0.1}, "two files are a mixture"),
        ({"vocals": 0.1, "vocals__drums": 0.1, "rest": 0.1}, "two files"),
        ({"vocals": 0.1, "take 7": 0.1}, "take 7"),
    ],
)
def test_files_that_do_not_say_what_they_hold(tmp_path: Path, files: dict[str, float], message: str) -> None:
    write(tmp_path / "songs" / "a", **files)
    with pytest.raises(UserError, match=message) as caught:
        known(tmp_path / "songs")
    assert "\n" not in str(caught.value) and "dset.partial" in str(caught.value)


def test_a_folder_that_is_missing_or_empty(tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UserError, match=r"dset\.partial"):
            load_partial([folder], SOURCES, RATE, workers=1)


@pytest.mark.parametrize("damaged", ["rest", "vocals-1"])
def test_a_song_with_a_file_that_cannot_be_read_is_left_out(tmp_path: Path, damaged: str) -> None:
    """Also one of two files of a stem: what is left would not be the whole stem."""
    for song, level in (("a", 0.25), ("b", 0.5)):
        write(tmp_path / "songs" / song, **{"vocals-1": level, "vocals-2": level / 2, "rest": level})
    (tmp_path / "songs" / "a" / f"{damaged}.wav").write_text("no audio")
    assert known(tmp_path / "songs") == {("drums", "bass", "other"): 0.5, ("vocals",): 0.75}


def test_a_folder_of_which_no_song_can_be_read(tmp_path: Path) -> None:
    write(tmp_path / "good" / "a", vocals=0.25, rest=0.5)
    write(tmp_path / "bad" / "a", vocals=0.25, rest=0.5)
    (tmp_path / "bad" / "a" / "rest.wav").write_text("no audio")
    with pytest.raises(UserError, match=r"no song in '.*bad' \(dset\.partial\)") as caught:
        load_partial([tmp_path / "good", tmp_path / "bad"], SOURCES, RATE, workers=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"dset": {"partial": ["nowhere"]}}, "dset.partial"),
        ({"distill": {"teacher": "bands", "mixtures": ["nowhere"]}}, "distill.mixtures"),
    ],
)
def test_such_songs_need_whole_songs_beside_them(tmp_path: Path, sections: dict[str, Any], key: str) -> None:
    """It is told before anything is read."""
    with pytest.raises(UserError, match=rf"{key}.*beside whole songs.*dset\.train"):
        load_data(tiny_config(tmp_path, **sections))
