"""A song is claimed by one process at a time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from htdemucs_n.separation.claims import FOLDER, SongRecord, fingerprint


def test_never_two_claims_at_once(tmp_path: Path) -> None:
    """Eight threads claim and release one song a hundred times, each with a lock of its own."""
    stems = [tmp_path / "song/drums.wav"]
    holders: list[int] = []
    most: list[int] = []
    deadline = time.monotonic() + 60

    def work(number: int) -> None:
        while len(most) < 100 and time.monotonic() < deadline:
            with SongRecord(tmp_path, stems).claimed() as mine:
                if mine:
                    holders.append(number)
                    most.append(len(holders))
                    time.sleep(0)
                    holders.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) >= 100 and max(most) == 1
    assert not list(tmp_path.rglob("*.lock"))


@pytest.mark.parametrize("distinct", [True, False])
def test_names_that_differ_in_case_are_two_songs_where_the_file_system_says_so(tmp_path: Path, distinct: bool) -> None:
    """`Song` and `song` are two folders on Linux: neither song waits for the other, nor is it kept as the other's."""
    one, two = tmp_path / "song/drums.wav", tmp_path / "Song/drums.wav"
    if not distinct:  # as on Windows and macOS, where the hidden folder has its name in any case
        (tmp_path / FOLDER).mkdir()
        (tmp_path / FOLDER.upper()).mkdir(exist_ok=True)
    elif _ignores_case(tmp_path):
        pytest.skip("this file system does not distinguish the case of letters")
    song = tmp_path / "a.wav"
    song.write_bytes(b"a")
    first, second = SongRecord(tmp_path, [one]), SongRecord(tmp_path, [two])
    with first.claimed() as mine:
        first.remember(song, [one])
        with second.claimed() as also_mine:
            assert mine and also_mine == distinct
    assert first.source(one) is not None
    assert (second.source(two) is None) == distinct


def _ignores_case(folder: Path) -> bool:
    (folder / "case").touch()
    return (folder / "CASE").exists()


def test_files_that_differ_at_one_end_alone_are_told_apart(tmp_path: Path) -> None:
    middle = bytes(200_000)
    contents = (b"a" + middle + b"a", b"b" + middle + b"a", b"a" + middle + b"b", b"a" + middle + b"aa")
    prints = set()
    for number, content in enumerate(contents):
        song = tmp_path / f"{number}.wav"
        song.write_bytes(content)
        prints.add(fingerprint(song))
    assert len(prints) == len(contents)
    (tmp_path / "moved.wav").write_bytes(contents[0])
    assert fingerprint(tmp_path / "moved.wav") in prints
    assert fingerprint(tmp_path / "missing.wav") == ""
