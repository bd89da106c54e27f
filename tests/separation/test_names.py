"""Names and places: templates, names that every system can hold, folders with loops, songs of one name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdemucs_n.errors import UserError
from htdemucs_n.separation.inputs import find_tracks
from htdemucs_n.separation.names import Namer, Track, safe_name, track_name

STEMS = ("drums", "bass")


def namer(template: str = "{model}/{track}/{stem}.{ext}") -> Namer:
    return Namer(template, Path("out"), "small", "flac", STEMS)


def test_a_template_is_filled_in() -> None:
    names = namer("{model}-{track}/{stem} of {track} ({trackext}).{ext}")
    named = names.name(Track(Path("a/My song.mp3"), "x/y"))
    files = named.files
    assert not named.numbered
    assert files["bass"] == Path("out/small-x/y/bass of x/y (mp3).flac")
    assert set(files) == set(STEMS)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{track}.{ext}", "needs {stem}"), ("{song}/{stem}", "unknown field '{song}'"),
        ("{track/{stem}", "filename"), ("{stem.__class__}", "unknown field"), ("{stem!r}", "write {stem}"),
        ("{stem:>9}", "write {stem}"), ("{0}{stem}", "unknown field"),
    ],
)  # fmt: skip
def test_templates_that_cannot_be(template: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        namer(template)


def test_songs_of_one_name_get_different_files_whatever_their_case_or_accents() -> None:
    names = namer()
    songs = ["Song", "song", "SONG", "Caf\u00e9", "Cafe\u0301", "song-2"]
    named = [names.name(Track(Path(f"{song}.wav"), song)) for song in songs]
    filled = [entry.files["bass"].parent.name for entry in named]
    assert [entry.numbered for entry in named] == [False, True, True, False, True, True]
    assert filled == ["Song", "song-2", "SONG-3", "Caf\u00e9", "Cafe\u0301-2", "song-2-2"]


def test_a_template_without_track_takes_one_song() -> None:
    names = namer("{stem}.{ext}")
    names.name(Track(Path("a.wav"), "a"))
    with pytest.raises(UserError, match=r"needs \{track\}"):
        names.name(Track(Path("b.wav"), "b"))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("AC/DC: Live?", "AC_DC_ Live_"), ("..", "_"), ("con", "_con"), ("COM1.x", "_COM1.x"), ("concert", "concert"),
        ("a. . ", "a"), ("", "_"), ("a\x00b\n", "a_b_"), ("песня 歌", "песня 歌"), ('"<>|*\\', "______"),
    ],
)  # fmt: skip
def test_names_that_windows_forbids(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(template=st.text(alphabet="/\\.: ab", max_size=12), name=st.text(max_size=40))
def test_no_name_leads_out_of_the_folder(template: str, name: str) -> None:
    files = namer(template + "{track}{stem}").name(Track(Path("a.wav"), name)).files
    for file in files.values():
        assert file.parts[0] == "out" and ".." not in file.parts and not file.is_absolute()
        assert all(part.rstrip(". ") == part for part in file.parts)
        assert Path(os.path.normpath(file)).parts[0] == "out"


@pytest.mark.parametrize(
    "template",
    ["{track} - {stem}.{ext}", "{stem}/{track}.{ext}", "{track}/{track}-{stem}.{ext}", "{model} {track}{stem}"],
)
@given(letter=st.sampled_from("aé歌😀"), length=st.integers(50, 300))
def test_names_that_are_too_long_are_cut_in_the_song_alone(template: str, letter: str, length: int) -> None:
    """The files of a song and of three songs of that name all differ, each ends as the template does."""
    names = namer(template)
    everything = [names.name(Track(Path("a.wav"), letter * length)) for _ in range(3)]
    assert [named.numbered for named in everything] == [False, True, True]
    files = [(stem, file) for named in everything for stem, file in named.files.items()]
    assert len({str(file) for _, file in files}) == len(files)
    for stem, file in files:
        assert all(len(part.encode()) <= 255 for part in file.parts)
        assert stem in str(file)
        rest = file.name.replace("small ", "").replace(stem, "").replace(".flac", "").strip("-0123456789 ")
        assert {*rest} <= {letter}
    longest = max(len(part.encode()) for part in files[0][1].parts)
    assert longest > 255 - len(letter.encode()) or length * len(letter.encode()) < 255


def test_a_cut_keeps_accents_and_joined_emoji_whole() -> None:
    for character in ("e\u0301\u0323", "👩\u200d🚀", "👍🏽", "🇩🇪", "\u1112\u1161\u11ab"):
        for start in ("", "a", "aa", "aaa", "aaaa", "aaaaa"):
            track = Track(Path("a"), start + 100 * character)
            name = next(iter(namer("{track}.{ext}{stem}").name(track).files.values())).name.split(".")[0]
            assert name == start + character * ((len(name) - len(start)) // len(character))


def test_a_name_that_is_too_long_without_the_song_is_refused() -> None:
    for template in ("x" * 250 + "{stem}.{ext}", "x" * 260 + "{track}{stem}"):
        with pytest.raises(UserError, match="too long"):
            namer(template).name(Track(Path("a.wav"), "a"))


def test_names_that_are_not_utf_8_become_text() -> None:
    name = os.fsdecode(b"caf\xe9")
    files = namer().name(Track(Path(name + ".wav"), track_name(Path(name + ".wav")))).files
    assert files["bass"] == Path("out/small/caf\ufffd/bass.flac")


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def found(*paths: str, out: str = "out") -> list[tuple[str, str]]:
    entries = list(find_tracks([Path(path) for path in paths], Path(out)))
    return [(e.path.as_posix(), e.name) for e in entries if isinstance(e, Track)]


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_folder_gives_all_its_songs_with_their_places() -> None:
    touch("m/b.MP3", "m/a.wav", "m/x/a.flac", "m/cover.jpg", "m/._a.wav", "m/.hidden/c.wav", "other.txt")
    songs = [("m/a.wav", "a"), ("m/b.MP3", "b"), ("m/x/a.flac", "x/a"), ("other.txt", "other")]
    assert found("m", "other.txt") == songs


def test_the_output_folder_is_not_separated_again() -> None:
    touch("m/a.wav", "m/separated/small/a/drums.wav")
    assert found("m", out="m/separated") == [("m/a.wav", "a")]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_loops_of_links_end() -> None:
    touch("m/a.wav", "far/b.wav")
    Path("m/loop").symlink_to("..", target_is_directory=True)
    Path("m/far").symlink_to("../far", target_is_directory=True)
    songs = found("m")
    assert ("m/a.wav", "a") in songs and len([path for path, _ in songs if path.endswith("b.wav")]) == 1
    assert len(songs) <= 3


def test_a_folder_without_songs_is_an_error_in_its_place() -> None:
    touch("m/notes.txt", "a.wav")
    error, track = find_tracks([Path("m"), Path("a.wav")], Path("out"))
    assert isinstance(error, UserError) and "'m' contains no audio" in str(error)
    assert isinstance(track, Track)
