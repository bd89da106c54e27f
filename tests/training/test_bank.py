"""The stem bank against libsndfile's own 16-bit samples, and its messages for faulty folders."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audio_helpers import encode, strongest, tones
from htdemucs_n.errors import UserError
from htdemucs_n.training.bank import FULL_SCALE, Song, StemBank, draw_weights, load_extra, load_songs
from training_helpers import SOURCES, noise_song, write_song

RATE = 44100


def load(*folders: Path, sources: tuple[str, ...] = SOURCES, workers: int = 2) -> tuple[Song, ...]:
    return load_songs([*folders], sources, RATE, workers)


def samples_of(song: Song, stem: str) -> np.ndarray:
    """The int16 samples `(C, T)` of a stem that is there."""
    tensor = song.stems[SOURCES.index(stem)]
    assert tensor is not None
    assert tensor.dtype == torch.int16
    return tensor.numpy()


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [("wav", "PCM_16"), ("flac", "PCM_24"), ("aiff", "PCM_16"), ("ogg", "VORBIS"), ("wav", "FLOAT")],
)
def test_every_format_gives_the_samples_of_libsndfile(tmp_path: Path, suffix: str, subtype: str) -> None:
    file = tmp_path / "songs" / "a song" / f"bass.{suffix}"
    file.parent.mkdir(parents=True)
    noise = np.random.default_rng(0).uniform(-0.4, 0.4, (5000, 2))
    soundfile.write(file, noise, RATE, subtype=subtype)
    expected = soundfile.read(file, dtype="float64")[0].T

    (song,) = load(tmp_path / "songs")
    # Half a step of rounding, and the file's own rounding to float32.
    assert np.abs(samples_of(song, "bass") / FULL_SCALE - expected).max() <= 0.51 / FULL_SCALE
    assert song.name == "a song"
    assert [stem is None for stem in song.stems] == [True, False, True, True]


def test_a_16_bit_file_keeps_its_samples(tmp_path: Path) -> None:
    write_song(tmp_path / "songs" / "a", seed=3)
    (song,) = load(tmp_path / "songs")
    for stem, original in zip(song.stems, noise_song(3).stems, strict=True):
        assert stem is not None
        assert original is not None
        assert (stem.int() - original.int()).abs().max() <= 1


@pytest.mark.parametrize(("codec", "suffix"), [("mp3", "mp3"), ("aac", "m4a"), ("libopus", "opus")])
def test_compressed_stems(tmp_path: Path, codec: str, suffix: str) -> None:
    """Tones of 430 and 860 Hz come through at their pitch, loudness and length, from any rate."""
    (tmp_path / "songs" / "a").mkdir(parents=True)
    encode(tmp_path / "songs" / "a" / f"vocals.{suffix}", tones((430, 860), 48000, 2.0), 48000, codec)
    vocals = samples_of(load(tmp_path / "songs")[0], "vocals") / FULL_SCALE
    assert abs(vocals.shape[1] / RATE - 2) < 0.1
    middle = vocals[:, RATE // 2 : RATE // 2 + RATE]
    assert strongest(middle, RATE) == [430, 860]
    assert np.sqrt(np.mean(middle**2, axis=1)) == pytest.approx([0.5 / np.sqrt(2)] * 2, rel=0.07)


def test_full_scale_does_not_wrap(tmp_path: Path) -> None:
    (tmp_path / "songs" / "a").mkdir(parents=True)
    loud = np.array([[1.0, -1.0], [0.5, -0.5], [0.0, 0.0]])
    soundfile.write(tmp_path / "songs" / "a" / "drums.wav", loud, RATE, subtype="FLOAT")
    drums = samples_of(load(tmp_path / "songs")[0], "drums").astype(int)
    assert drums.tolist() == [[32767, 16384, 0], [-32768, -16384, 0]]


@pytest.mark.parametrize("cached", [False, True])
def test_a_song_with_stems_over_full_scale_is_scaled_down_as_a_whole(tmp_path: Path, cached: bool) -> None:
    """Every stem keeps its shape and its level beside the others, from the cache too; other songs are not scaled."""
    rng = np.random.default_rng(0)
    peaks = {"drums": 2.5, "bass": 0.25, "vocals": 1.25}
    stems = {name: rng.uniform(-1, 1, (3000, 2)).astype(np.float32) for name in peaks}
    for name, peak in peaks.items():
        stems[name] *= peak / np.abs(stems[name]).max()
    for song, gain in (("a", 1.0), ("b", 0.25)):
        (tmp_path / "songs" / song).mkdir(parents=True)
        for name, samples in stems.items():
            soundfile.write(tmp_path / "songs" / song / f"{name}.wav", gain * samples, RATE, subtype="FLOAT")
    cache = tmp_path / "cache" if cached else None
    for _ in range(2):
        loud, other = load_songs([tmp_path / "songs"], SOURCES, RATE, 2, cache=cache)
        for name, samples in stems.items():
            np.testing.assert_allclose(samples_of(loud, name).T / FULL_SCALE, samples / 2.5, atol=2 / FULL_SCALE)
            np.testing.assert_allclose(samples_of(other, name).T / FULL_SCALE, samples / 4, atol=1 / FULL_SCALE)


def test_a_mono_stem_is_put_on_both_channels(tmp_path: Path) -> None:
    (tmp_path / "songs" / "a").mkdir(parents=True)
    mono = np.random.default_rng(1).integers(-9000, 9000, 3000, dtype=np.int16)
    soundfile.write(tmp_path / "songs" / "a" / "other.wav", mono, RATE)
    other = samples_of(load(tmp_path / "songs")[0], "other")
    assert other.shape == (2, 3000)
    assert (other[0] == other[1]).all()
    assert np.abs(other[0].astype(int) - mono).max() <= 1


@pytest.mark.parametrize("rate", [22050, 48000])
def test_other_sample_rates_are_resampled(tmp_path: Path, rate: int) -> None:
    (tmp_path / "songs" / "a").mkdir(parents=True)
    soundfile.write(tmp_path / "songs" / "a" / "bass.wav", tones((1000, 3000), rate, 1.0).T, rate)
    bass = samples_of(load(tmp_path / "songs")[0], "bass") / FULL_SCALE
    assert bass.shape == (2, RATE)
    time = np.arange(RATE) / RATE
    expected = 0.5 * np.sin(2 * np.pi * np.array([[1000], [3000]]) * time)
    assert np.abs(bass - expected)[:, 500:-500].max() < 1e-3


def test_mixture_and_stems(tmp_path: Path) -> None:
    """Stems of different lengths end in silence; one that is not there is silence."""
    short, long = torch.tensor([[100, 200], [300, 400]]), torch.tensor([[1, 2, 3], [-4, -5, -6]])
    song = Song("a", (short.short(), None, long.short(), None))
    mixture, stems = song.mixture_and_stems()
    expected = np.zeros((4, 2, 3))
    expected[0, :, :2], expected[2] = short, long
    assert song.length == 3
    np.testing.assert_allclose(stems.numpy(), expected / FULL_SCALE, rtol=1e-6)
    np.testing.assert_allclose(mixture.numpy(), expected.sum(0) / FULL_SCALE, rtol=1e-6)


def test_songs_come_sorted_whatever_the_number_of_workers(tmp_path: Path) -> None:
    for seed, name in enumerate(["c", "a", "b"]):
        write_song(tmp_path / "x" / name, seed, samples=500)
    write_song(tmp_path / "w" / "z", 7, samples=500)
    one, many = (load(tmp_path / "x", tmp_path / "w", workers=workers) for workers in (1, 4))
    assert [song.name for song in one] == ["a", "b", "c", "z"]
    for first, second in zip(one, many, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(first.stems, second.stems, strict=True) if x is not None)


def test_a_damaged_file_is_named_and_the_rest_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_song(tmp_path / "songs" / "a", seed=0, samples=500)
    write_song(tmp_path / "songs" / "b", seed=1, samples=500)
    broken = tmp_path / "songs" / "a" / "bass.wav"
    broken.write_bytes(b"not audio")
    (tmp_path / "songs" / "c").mkdir()
    (tmp_path / "songs" / "c" / "drums.wav").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        first, second = load(tmp_path / "songs")
    assert [stem is None for stem in first.stems] == [False, True, False, False]
    assert None not in second.stems
    assert caplog.messages[2:] == ["2 of 9 files could not be read"]
    assert str(broken) in caplog.text
    assert str(Path("c", "drums.wav")) in caplog.text


def test_what_is_no_song_is_passed_over(tmp_path: Path) -> None:
    write_song(tmp_path / "songs" / "a", seed=0, samples=500)
    (tmp_path / "songs" / "notes.txt").write_text("a file beside the songs")
    (tmp_path / "songs" / "cover").mkdir()
    (tmp_path / "songs" / "a" / "vocals.txt").write_text("lyrics")
    assert [song.name for song in load(tmp_path / "songs")] == ["a"]


@pytest.mark.parametrize("content", ["missing", "empty", "no stems"])
def test_a_folder_without_songs(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "songs"
    if content != "missing":
        folder.mkdir()
    if content == "no stems":
        (folder / "a").mkdir()
        soundfile.write(folder / "a" / "kazoo.wav", np.zeros(10), RATE)
    with pytest.raises(UserError) as caught:
        load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_songs_are_drawn_by_the_square_root_of_their_length() -> None:
    bank = StemBank((noise_song(0, 100), noise_song(1, 400), noise_song(2, 900)), {})
    assert draw_weights(bank.songs) == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    assert bank.minutes == pytest.approx(1400 / 44100 / 60)


def test_extra_stems_at_any_depth(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "voices" / "deep" / "er").mkdir(parents=True)
    mono, stereo = (np.random.default_rng(n).integers(-99, 99, (300, n), dtype=np.int16) for n in (1, 2))
    soundfile.write(tmp_path / "voices" / "deep" / "er" / "take.flac", mono, RATE)
    soundfile.write(tmp_path / "voices" / "z.WAV", stereo, RATE, format="WAV")
    (tmp_path / "voices" / "broken.wav").write_bytes(b"?")
    with caplog.at_level(logging.WARNING):
        extra, bandwidths = load_extra({"drums": [], "vocals": [tmp_path / "voices"]}, SOURCES, RATE, 2, "cpu")
    assert list(extra) == [3]
    assert [tuple(stem.shape) for stem in extra[3]] == [(1, 300), (2, 300)]
    assert bandwidths == {3: (RATE / 2, RATE / 2)}
    for stem, original in zip(extra[3], (mono, stereo), strict=True):
        assert np.abs(stem.numpy().astype(int) - original.T).max() <= 1
    assert "broken.wav" in caplog.text


def test_extra_of_an_unknown_source_or_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'dset.extra.kazoo'.*drums, bass, other, vocals"):
        load_extra({"kazoo": [tmp_path]}, SOURCES, RATE, 1, "cpu")
    with pytest.raises(UserError, match=r"no audio files.*dset.extra.bass"):
        load_extra({"bass": [tmp_path]}, SOURCES, RATE, 1, "cpu")
