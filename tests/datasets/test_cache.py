"""The cache of decoded stems: it holds the decoded samples, follows every change, and replaces damaged entries."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from htdemucs_n.datasets import decode as decode_module
from htdemucs_n.datasets.decode import StemReader
from htdemucs_n.datasets.songs import StemFile
from htdemucs_n.training.bank import load_songs
from training_helpers import SOURCES, write_song

RATE = 44100


@pytest.fixture
def file(tmp_path: Path) -> StemFile:
    write_song(tmp_path / "song", 0, 2000)
    return StemFile(tmp_path / "song" / "bass.wav")


def entries(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_the_second_time_nothing_is_decoded(tmp_path: Path, file: StemFile, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    plain = StemReader(RATE).read([file])
    first = StemReader(RATE, cache).read([file])
    monkeypatch.setattr(decode_module, "decode", lambda *_: pytest.fail("decoded again"))
    second = StemReader(RATE, cache).read([file])
    assert plain is not None
    assert second is not None and isinstance(second.samples, np.memmap)
    for stem in (first, second):
        assert stem is not None
        assert stem.samples.dtype == np.int16
        assert (stem.samples == plain.samples).all()


def test_what_changes_is_decoded_again(tmp_path: Path, file: StemFile) -> None:
    """Content of the same size, time of change, rate, channels, stream and the other files of a sum all count."""
    cache = tmp_path / "cache"
    reader = StemReader(RATE, cache)
    before = reader.read([file])
    samples, _ = soundfile.read(file.path, dtype="int16")
    stat = file.path.stat()
    soundfile.write(file.path, samples[::-1], RATE, subtype="PCM_16")
    assert file.path.stat().st_size == stat.st_size
    os.utime(file.path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    after = reader.read([file])
    assert before is not None
    assert after is not None
    assert (after.samples == before.samples[:, ::-1]).all()

    other = StemFile(file.path.with_name("drums.wav"))
    paths = {
        StemReader(RATE, cache).cache.path(*key)  # type: ignore[union-attr]
        for key in (
            ([file], RATE, 2),
            ([file], 48000, 2),
            ([file], RATE, None),
            ([StemFile(file.path, 1)], RATE, 2),
            ([other], RATE, 2),
            ([file, other], RATE, 2),
        )
    }
    assert len(paths) == 6


@pytest.mark.parametrize("damage", [b"", b"not numpy", None])
def test_a_damaged_entry_is_made_again(tmp_path: Path, file: StemFile, damage: bytes | None) -> None:
    cache = tmp_path / "cache"
    expected = StemReader(RATE).read([file])
    StemReader(RATE, cache).read([file])
    (entry,) = entries(cache)
    entry.write_bytes(entry.read_bytes()[:-100] if damage is None else damage)
    again = StemReader(RATE, cache).read([file])
    assert again is not None
    assert expected is not None
    assert (again.samples == expected.samples).all()
    assert (np.load(entry) == expected.samples).all()


def test_a_cache_that_cannot_be_written(tmp_path: Path, file: StemFile, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    reader = StemReader(RATE, tmp_path / "cache")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert reader.read([file]) is not None
    (line,) = caplog.messages
    assert "cannot be written" in line


def test_nothing_half_written_stays(tmp_path: Path, file: StemFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(target: object, *_: object, **__: object) -> None:
        target.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("htdemucs_n.datasets.cache.np.save", full_disk)
    assert StemReader(RATE, tmp_path / "cache").read([file]) is not None
    assert entries(tmp_path / "cache") == []


def test_a_stem_with_an_unreadable_part_is_not_kept(tmp_path: Path, file: StemFile) -> None:
    broken = StemFile(tmp_path / "broken.wav")
    broken.path.write_bytes(b"?")
    reader = StemReader(RATE, tmp_path / "cache")
    partly, alone = reader.read([file, broken]), StemReader(RATE).read([file])
    assert partly is not None
    assert alone is not None
    assert (partly.samples == alone.samples).all()
    assert reader.unreadable == [broken]
    assert entries(tmp_path / "cache") == []


def test_songs_through_the_cache_are_the_same(tmp_path: Path) -> None:
    for seed in range(3):
        write_song(tmp_path / "songs" / str(seed), seed, 900)
    runs = [
        load_songs([tmp_path / "songs"], SOURCES, RATE, workers, cache=cache)
        for workers, cache in ((1, None), (2, tmp_path / "cache"), (2, tmp_path / "cache"))
    ]
    assert len(entries(tmp_path / "cache")) == 12
    for songs in runs[1:]:
        for plain, cached in zip(runs[0], songs, strict=True):
            assert plain.bandwidths == cached.bandwidths
            for x, y in zip(plain.stems, cached.stems, strict=True):
                assert x is not None
                assert y is not None
                assert torch.equal(x, y)
