"""Finding songs: layouts of MUSDB18, names of stems, splits; and what their files decode to."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import yaml
from numpy.typing import NDArray

from audio_helpers import strongest, tones
from htdemucs_n.datasets import musdb
from htdemucs_n.datasets.names import alias_table
from htdemucs_n.datasets.songs import SongFiles, audio_files, find_songs
from htdemucs_n.errors import UserError
from htdemucs_n.training.bank import FULL_SCALE, load_songs
from training_helpers import SOURCES, write_song

RATE = 44100
PITCHES = (200, 400, 800, 1600, 3200)
"""Hz, of the five streams of a stem file."""


def write_stem_file(path: Path, streams: int = 5) -> None:
    """A `.stem.mp4` of a second whose stream i is a tone of `PITCHES[i]`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        encoders = [container.add_stream("aac", rate=RATE, layout="stereo") for _ in range(streams)]
        for stream, pitch in zip(encoders, PITCHES, strict=False):
            assert isinstance(stream, av.AudioStream)
            resampler = av.AudioResampler("fltp", "stereo", RATE, frame_size=1024)
            frame = av.AudioFrame.from_ndarray(tones((pitch, pitch), RATE, 1.0), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
                container.mux(stream.encode(piece))


def write(folder: Path, **files: NDArray[np.int16]) -> Path:
    """Files `name.wav` of `(T,)` or `(T, C)` samples."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, samples in files.items():
        soundfile.write(folder / f"{name}.wav", samples, RATE, subtype="PCM_16")
    return folder


def find(folder: Path, split: str = "train") -> list[SongFiles]:
    return find_songs(folder, SOURCES, alias_table(SOURCES), split)  # type: ignore[arg-type]


def test_several_files_a_stem_are_summed(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    one, two, guitar = (random.integers(-9000, 9000, (n, 2), dtype=np.int16) for n in (500, 800, 300))
    mono = random.integers(-9000, 9000, 700, dtype=np.int16)
    folder = write(tmp_path / "songs" / "a", **{"vocals-1": one, "vocals_2": two, "guitar": guitar, "other": mono})
    soundfile.write(folder / "Guitar.flac", guitar, RATE)  # the same recording in another format counts once
    (song,) = load_songs([tmp_path / "songs"], SOURCES, RATE, 1)
    vocals = np.zeros((2, 800), int)
    vocals[:, :500] += one.T
    vocals += two.T
    other = np.zeros((2, 700), int)
    other += mono
    other[:, :300] += guitar.T
    assert song.stems[0] is None
    assert song.stems[1] is None
    assert song.stems[2] is not None
    assert song.stems[3] is not None
    assert np.abs(song.stems[2].numpy() - other).max() <= 1
    assert np.abs(song.stems[3].numpy() - vocals).max() <= 1
    assert song.length == 800


def test_rates_that_differ_within_a_song(tmp_path: Path) -> None:
    folder = tmp_path / "songs" / "a"
    folder.mkdir(parents=True)
    for name, rate in (("bass", 44100), ("drums", 48000), ("vocals", 22050), ("vocals-2", 32000)):
        soundfile.write(folder / f"{name}.wav", tones((1000, 3000), rate, 1.0).T, rate)
    (song,) = load_songs([tmp_path / "songs"], SOURCES, RATE, 1)
    for stem, gain in zip(song.stems, (1, 1, 0, 2), strict=True):
        if stem is None:
            assert not gain
            continue
        expected = gain * 0.5 * np.sin(2 * np.pi * np.array([[1000], [3000]]) * np.arange(RATE) / RATE)
        assert stem.shape == (2, RATE)
        # Resampling adds up to 0.2 % to the peak of 1, and the song is scaled down by that.
        assert np.abs(stem.numpy() / FULL_SCALE - expected)[:, 500:-500].max() < 4e-3
    assert song.bandwidths[2] == float("inf")


def test_names_that_are_no_stem_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in "ab":
        write_song(tmp_path / "songs" / name, 0, 500)
        write(tmp_path / "songs" / name, kazoo=np.zeros(9, np.int16), mixture=np.zeros(9, np.int16))
    with caplog.at_level(logging.WARNING):
        load_songs([tmp_path / "songs"], SOURCES, RATE, 1)
        first = list(caplog.messages)
        songs = load_songs([tmp_path / "songs"], SOURCES, RATE, 1, aliases={"kazoo": None, "bass": "other"})
    (line,) = first
    assert "'kazoo'" in line
    assert "2 songs" in line
    assert songs[0].stems[1] is not None, "a name that is a source is never mapped away"


def test_hidden_files_are_no_recordings(tmp_path: Path) -> None:
    """What macOS leaves beside each file of a foreign disk, and caches."""
    for name in ("singer/take.wav", "singer/._take.wav", ".cache/a/b.wav", "a.flac"):
        (tmp_path / ".voices" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".voices" / name).touch()
    found = audio_files([tmp_path / ".voices"])  # a folder that was named may itself be hidden
    assert [file.relative_to(tmp_path / ".voices").as_posix() for file in found] == ["a.flac", "singer/take.wav"]


def test_stem_files(tmp_path: Path) -> None:
    """The five streams, by the pitch of each; its mixture is not a stem."""
    write_stem_file(tmp_path / "previews" / "Artist - A song.stem.mp4")
    (tmp_path / "previews" / "._Artist - A song.stem.mp4").write_bytes(b"left by macOS")
    (song,) = load_songs([tmp_path / "previews"], SOURCES, RATE, 1)
    assert song.name == "Artist - A song"
    for stem, pitch in zip(song.stems, PITCHES[1:], strict=True):
        assert stem is not None
        assert abs(stem.shape[1] / RATE - 1) < 0.06
        middle = stem.numpy()[:, 8820:-8820].astype(np.float32)
        assert strongest(middle, RATE) == pytest.approx([pitch] * 2, abs=2)


def test_a_stem_file_that_lacks_streams(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_stem_file(tmp_path / "previews" / "a.stem.mp4", streams=3)
    (song,) = load_songs([tmp_path / "previews"], SOURCES, RATE, 1)
    assert [stem is None for stem in song.stems] == [False, False, True, True]
    assert "2 of 4 files could not be read" in caplog.text
    assert "a.stem.mp4' has 3 audio streams" in caplog.text


@pytest.fixture
def musdb_hq(tmp_path: Path) -> Path:
    """A root with two training songs, one of the official validation songs, and a test song."""
    for place in ("train/A - one", "train/B - two", "train/Triviul - Angelsaint", "test/C - three"):
        write_song(tmp_path / "musdb" / place, 0, 300)
    return tmp_path / "musdb"


def test_splits_of_a_musdb_root(musdb_hq: Path) -> None:
    names = {split: [song.name for song in find(musdb_hq, split)] for split in ("train", "valid", "test", "all")}
    assert names["train"] == ["A - one", "B - two"]
    assert names["valid"] == ["Triviul - Angelsaint"]
    assert names["test"] == ["C - three"]
    assert sorted(names["all"]) == sorted(names["train"] + names["valid"] + names["test"])
    assert [song.name for song in find(musdb_hq / "train")] == names["train"] + names["valid"]


def test_no_song_is_trained_on_and_validated(musdb_hq: Path) -> None:
    """Also where the paths are written in another way."""
    other = musdb_hq.parent / "elsewhere" / ".." / "musdb"
    (musdb_hq.parent / "elsewhere").mkdir()
    songs = load_songs([musdb_hq / "train"], SOURCES, RATE, 1, without=[other])
    assert [song.name for song in songs] == ["A - one", "B - two"]
    assert load_songs([musdb_hq / "train"], SOURCES, RATE, 1, without=[musdb_hq / "train"]) == ()


def test_the_official_validation_split() -> None:
    assert len(musdb.VALIDATION) == 14
    package = importlib.util.find_spec("musdb")  # found, not imported: it asks for the program ffmpeg
    if package is None or package.origin is None:
        pytest.skip("the package musdb is not installed")
    settings = yaml.safe_load((Path(package.origin).parent / "configs" / "mus.yaml").read_text(encoding="utf-8"))
    assert set(settings["validation_tracks"]) == musdb.VALIDATION


def test_nothing_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "songs" / "a").mkdir(parents=True)
    (tmp_path / "songs" / "a" / "bass.wav").write_bytes(b"?")
    with pytest.raises(UserError, match="no file of the songs in"):
        load_songs([tmp_path / "songs"], SOURCES, RATE, 1)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_song(tmp_path / "songs" / "a", seed=0)
    write_song(tmp_path / "songs" / "b", seed=1)
    iterdir = Path.iterdir

    def refuse(folder: Path) -> Iterator[Path]:
        if folder.name == "b":
            raise PermissionError(13, "Permission denied", str(folder))
        return iterdir(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match=r"songs.b' cannot be read \(Permission denied\): check its permissions"):
        find(tmp_path / "songs")


def test_stems_in_formats_that_are_not_read_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    song = write_song(tmp_path / "songs" / "a", seed=0)
    (song / "vocals.wav").rename(song / "vocals.mogg")
    with caplog.at_level(logging.WARNING):
        load_songs([tmp_path / "songs"], SOURCES, RATE, 1)
    assert "1 stem with the suffix '.mogg' left out" in caplog.text
