"""A song is claimed by one process at a time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from htdemucs_n.separation.claims import SongRecord, fingerprint


def test_never_two_claims_at_once(tmp_path: Path) -> None:
    """Eight threads claim and release one song again and again, each with a lock of its own."""
    stems = [tmp_path / "song/drums.wav"]
    holders: list[int] = []
    most: list[int] = []
    deadline = time.monotonic() + 1.0

    def work(number: int) -> None:
        while time.monotonic() < deadline:
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
    assert len(most) > 10 and max(most) == 1
    assert not list(tmp_path.rglob("*.lock"))


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
