"""Files appear whole, with the mode that the user's umask gives, or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from htdemucs_n.audio import write_wav
from htdemucs_n.errors import UserError
from htdemucs_n.files import as_url, is_file, is_folder, moved_into_place, remove_leftovers, whole_file, write_whole
from htdemucs_n.models.storage import save_tensors


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("content", "written"), [("a\nä\n", b"a\n\xc3\xa4\n"), (b"\x00\r\n", b"\x00\r\n")])
def test_text_and_bytes_as_they_are(tmp_path: Path, content: str | bytes, written: bytes) -> None:
    write_whole(tmp_path / "x" / "y" / "a", content)
    assert (tmp_path / "x" / "y" / "a").read_bytes() == written
    assert names(tmp_path / "x" / "y") == ["a"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("s3://bucket/a.wav", "s3://bucket/a.wav"),
        (Path("s3://bucket/a.wav"), "s3://bucket/a.wav"),
        (Path("file:///home/a.wav"), "file:///home/a.wav"),
        (Path("https://example.org/a b.mp3?x=1"), "https://example.org/a b.mp3?x=1"),
        (Path("C:/music/a.wav"), None),
        ("music/a: b/c.wav", None),
        (Path("a.wav"), None),
    ],
)
def test_urls_are_shown_as_they_were_typed(given: str | Path, shown: str | None) -> None:
    assert as_url(given) == shown


def test_the_older_file_stays_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with whole_file(path) as part:
        part.write_text("new")
        assert part.parent == tmp_path
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("writer", [moved_into_place, whole_file])
def test_a_block_that_fails_leaves_nothing(tmp_path: Path, writer: Callable[..., object], failure: Exception) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(type(failure)) as caught, writer(path) as part:  # type: ignore[attr-defined]
        part.write_text("half")
        raise failure
    assert caught.value is failure
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_folders_made_for_a_file_that_fails_go_with_it(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for path in (tmp_path / "there" / "a", tmp_path / "there" / "new" / "deep" / "a"):
        with pytest.raises(ValueError, match="no"), moved_into_place(path):
            raise ValueError("no")
    assert names(tmp_path) == ["there"]
    assert names(tmp_path / "there") == []


def test_a_folder_in_which_another_file_was_written_stays(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), moved_into_place(tmp_path / "new" / "a"):
        (tmp_path / "new" / "b").touch()
        raise ValueError("no")
    assert names(tmp_path / "new") == ["b"]


def test_two_writers_of_one_file_use_different_partial_files(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as first, whole_file(tmp_path / "a") as second:
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a").read_text() == "first"
    assert names(tmp_path) == ["a"]


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    write_whole(tmp_path / ("n" * 255), "x")
    assert names(tmp_path) == ["n" * 255]


def test_a_full_disk_is_one_line_that_names_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(UserError) as caught, whole_file(path) as part:
        part.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(caught.value) == (
        f"cannot write '{path}' (No space left on device): make room, make the folder writable, or choose another"
    )
    assert names(tmp_path) == []


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write '.*a'"):
        write_whole(tmp_path / "file" / "a", "x")
    with pytest.raises(OSError), moved_into_place(tmp_path / "file" / "a"):
        pytest.fail("there is nowhere to write to")


@pytest.fixture(params=[0o022, 0o027])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are those of POSIX")
def test_the_umask_gives_the_mode(tmp_path: Path, umask: int) -> None:
    """Also of weights, whose library makes files that only their owner may read."""
    write_whole(tmp_path / "text", "x")
    write_wav(tmp_path / "song.wav", np.zeros((2, 9), np.float32), 44100)
    save_tensors(tmp_path / "weights.safetensors", {"weight": torch.zeros(3)}, {})
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask, path.name


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    writer = "import os, sys, pathlib, htdemucs_n.files as f\nwith f.whole_file(pathlib.Path(sys.argv[1])): os._exit(9)"
    kept = ["a", ".hidden.part", ".0123456789ab", "0123456789ab.part"]
    for name in kept:
        (tmp_path / name).write_text("old")
    assert subprocess.run([sys.executable, "-c", writer, str(tmp_path / "a")], check=False).returncode == 9
    assert len(names(tmp_path)) == len(kept) + 1
    remove_leftovers(tmp_path)
    assert names(tmp_path) == sorted(kept)
    assert (tmp_path / "a").read_text() == "old"


def test_a_name_that_no_file_system_takes_is_no_file_and_no_folder(tmp_path: Path) -> None:
    assert not is_file(tmp_path / ("n" * 300)) and not is_folder(tmp_path / ("n" * 300))
    assert is_folder(tmp_path) and not is_file(tmp_path)
    (tmp_path / "a").touch()
    assert is_file(tmp_path / "a") and not is_folder(tmp_path / "a")
