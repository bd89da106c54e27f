"""Levels, files, and whole songs: the latter only where FluidSynth and SoundFonts are."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from htdemucs_n.audio import read_audio
from htdemucs_n.datasets.names import alias_table
from htdemucs_n.datasets.songs import find_songs
from htdemucs_n.errors import UserError
from song_maker import effects
from song_maker.cli import app
from song_maker.drum_kits import ElectronicKit, HydrogenKit
from song_maker.drum_recording import DrumRecorder
from song_maker.effects import RATE
from song_maker.groove import GrooveSet
from song_maker.hydrogen_names import players
from song_maker.kit_list import KitSource
from song_maker.library import Request, SongSources, make_songs, write_song
from song_maker.notes import Note
from song_maker.song import LEVELS, mixed
from song_maker.soundfonts import FOLDERS, SoundFonts
from song_maker_helpers import groove_zip, midi_bytes, needs_fonts, pop909_zip

SOURCES = ("drums", "bass", "other", "vocals")


def test_levels_are_those_of_real_songs() -> None:
    rng = np.random.default_rng(0)
    sound = {name: 0.02 * rng.standard_normal((2, 2000)) for name in LEVELS}
    levels: dict[str, list[float]] = {name: [] for name in LEVELS}
    for seed in range(300):
        for name, stem in mixed(sound, np.random.default_rng(seed)).items():
            levels[name].append(20 * np.log10(effects.rms(stem)))
            assert np.abs(stem).max() <= 0.89
    for name, (mean, _) in LEVELS.items():
        assert np.mean(levels[name]) == pytest.approx(mean, abs=0.6)
        assert 2.0 < np.std(levels[name]) < 4.5


def test_silent_stems_are_left_out() -> None:
    stems = {"drums": np.zeros((2, 100)), "bass": np.full((2, 100), 0.1)}
    assert list(mixed(stems, np.random.default_rng(0))) == ["bass"]


@pytest.mark.parametrize("form", ["flac", "wav"])
def test_written_songs_are_songs_and_the_same_bytes(form: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stems = {name: 0.1 * rng.standard_normal((2, 5000)) for name in ("drums", "vocals")}
    for folder in ("one", "two"):
        write_song(tmp_path / folder, stems, form)
    (tmp_path / ".three.1.part").mkdir()
    write_song(tmp_path / ".three.1.part" / "x", stems, form)
    songs = find_songs(tmp_path, SOURCES, alias_table(SOURCES))
    assert [song.name for song in songs] == ["one", "two"]  # what is still being written is none
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
        np.testing.assert_allclose(read_audio(file).samples, stems[file.stem], atol=1 / 32767)


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(UserError, match="No space left"):
        write_song(tmp_path / "song", {"drums": np.zeros((2, 10))}, "flac")
    assert not list(tmp_path.iterdir())


def test_electronic_drums_keep_their_sound_and_damp_the_open_hat() -> None:
    kit = ElectronicKit(np.random.default_rng(0))
    sound = kit.play([Note(0.0, 0.1, 36, 127), Note(1.0, 0.1, 36, 127)], 2.0)
    np.testing.assert_allclose(sound[:, : RATE // 2], sound[:, RATE : RATE + RATE // 2])
    alone = kit.play([Note(0.0, 0.1, 46, 127)], 1.0)
    damped = kit.play([Note(0.0, 0.1, 46, 127), Note(0.1, 0.1, 42, 0)], 1.0)
    np.testing.assert_allclose(alone[:, : RATE // 20], damped[:, : RATE // 20])
    assert effects.rms(damped[:, RATE // 5 :]) == 0


def test_hydrogen_kits_choose_the_layer_by_strength(tmp_path: Path) -> None:
    for name, value in (("soft.wav", 0.1), ("hard.wav", 0.5), ("hat.wav", 0.3)):
        soundfile.write(tmp_path / name, np.full((100, 2), value), RATE, subtype="FLOAT")
    (tmp_path / "drumkit.xml").write_text(
        "<drumkit_info xmlns='http://www.hydrogen-music.org/drumkit'><instrumentList>"
        "<instrument><name>Big Kick</name>"
        "<layer><filename>hard.wav</filename><min>0.5</min><max>1</max></layer>"
        "<layer><filename>../../soft.wav</filename><min>0</min><max>0.5</max></layer></instrument>"
        "<instrument><name>Closed Hat</name><filename>hat.wav</filename></instrument>"
        "<instrument><name>Lost snare</name><layer><filename>gone.wav</filename></layer></instrument>"
        "</instrumentList></drumkit_info>"
    )
    kit = HydrogenKit(tmp_path)
    assert kit.play([Note(0, 0.1, 36, 127)], 0.01)[0, 5] == pytest.approx(0.5)
    # A name never leads out of the folder: soft.wav here, not two folders up.
    assert kit.play([Note(0, 0.1, 36, 40)], 0.01)[0, 5] == pytest.approx(0.1 * (0.3 + 0.7 * 40 / 127), rel=1e-3)
    assert kit.play([Note(0, 0.1, 44, 127)], 0.01)[0, 5] == pytest.approx(0.3)  # the pedal's stand-in
    assert not kit.play([Note(0, 0.1, 38, 127)], 0.01).any()


TRAPS = {
    "Kick Stomp": (1, (35, 36)),  # no tom
    "Snare Roll": (2, ()),
    "Snare Rimshot": (9, ()),
    "Snare Jazz (13x6, open)": (1, (40,)),
    "Snare1": (3, (38, 39)),  # more layers
    "SideStick": (1, (37,)),
    "Hat Closed Bs": (1, (42, 44)),
    "Sabian Hat Semi-Open": (4, ()),
    "Hat Op Dirty": (1, (46,)),
    "Cowbell": (1, ()),
    "Ride Bell": (1, (53,)),
    "crash16inch": (1, (49, 55)),
    "Crash/Ride": (2, ()),
    "Crash Right": (1, (57,)),
    "ride-crash": (3, ()),
    "d#4 - Ride Bow": (2, (51,)),
    "Ride 2": (1, (59,)),
    "China Choke": (1, ()),
    "China": (1, (52,)),
}
"""Names of instruments, their layers, and the General MIDI numbers that they play."""


def traps(folder: Path) -> Path:
    """A kit of Hydrogen with the instruments of `TRAPS`, each of which sounds at its own level."""
    folder.mkdir(exist_ok=True)
    instruments = ""
    for place, (name, (layers, _)) in enumerate(TRAPS.items()):
        soundfile.write(folder / f"{place}.wav", np.full((100, 2), 0.01 * (place + 1)), RATE, subtype="FLOAT")
        layer = f"<layer><filename>{place}.wav</filename><max>1</max></layer>"
        instruments += f"<instrument><name>{name}</name>{layers * layer}</instrument>"
    (folder / "drumkit.xml").write_text(f"<drumkit_info><instrumentList>{instruments}</instrumentList></drumkit_info>")
    return folder


def test_names_of_hydrogen_are_read_as_words(tmp_path: Path) -> None:
    kit = HydrogenKit(traps(tmp_path / "kit"))
    assert kit.players == {pitch: name for name, (_, pitches) in TRAPS.items() for pitch in pitches}
    ride = list(TRAPS).index("Ride 2")
    assert kit.play([Note(0, 0.1, 59, 127)], 0.01)[0, 5] == pytest.approx(0.01 * (ride + 1))


def test_cymbals_without_a_kind_play_what_the_kit_lacks() -> None:
    """Every number of a group sounds if one does, and none plays an instrument of another group."""
    chosen = players({"c#4 - crash": 1, "d#4 - cymbal 1": 1, "e4 - cymbal 2": 1, "Tom": 1, "Closed HH": 1})
    cymbals = [chosen.get(pitch) for pitch in (49, 51, 52, 53, 55, 57, 59)]
    crash, first, second = "c#4 - crash", "d#4 - cymbal 1", "e4 - cymbal 2"
    assert cymbals == [crash, first, second, first, crash, crash, second]
    assert {chosen.get(pitch) for pitch in (41, 43, 45, 47, 48, 50)} == {"Tom"}
    assert {chosen.get(pitch) for pitch in (42, 44, 46)} == {"Closed HH"}
    assert not chosen.keys() & {35, 36, 37, 38, 39, 40}


def test_a_part_that_the_kit_lacks_is_silent(tmp_path: Path) -> None:
    """A tom is played, and the kit has none."""
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        hits = [(beat + 0.01, beat + 0.1, (36, 45, 42)[beat % 3]) for beat in range(22)]
        archive.writestr("groove/d/s/1_rock_100_beat_4-4.mid", midi_bytes({"MIDI": hits}, 100, channel=9))
    kit = KitSource("traps", "none", 1.0, lambda rng, tuning: HydrogenKit(traps(tmp_path / "kit")))
    played, parts = DrumRecorder(GrooveSet(tmp_path / "g.zip"), [kit], as_played=True).record(1, 0, 4.0)
    assert {hit.pitch for hit in played} == {36, 45, 42}
    assert set(parts) == {"kick", "hihat"}


@needs_fonts
def test_fluidsynth_plays_in_tune_on_time_and_always_the_same() -> None:
    fonts = SoundFonts()
    preset = fonts.preset(0, np.random.default_rng(0))
    notes = [Note(0.5, 0.4, 69, 100), Note(1.0, 0.4, 81, 100)]
    first = fonts.play(preset, notes, 1.6)
    fonts.play(fonts.preset(48, np.random.default_rng(0)), [Note(0.013, 0.2, 60, 50)], 0.777)
    assert np.array_equal(first, fonts.play(preset, notes, 1.6))
    assert np.array_equal(first, SoundFonts().play(preset, notes, 1.6))
    mono = first.mean(axis=0)
    onset = np.flatnonzero(np.abs(mono) > 0.1 * np.abs(mono).max())[0] / RATE
    assert onset == pytest.approx(0.5, abs=0.02)
    tone = mono[round(0.6 * RATE) : round(0.8 * RATE)]
    assert np.argmax(np.abs(np.fft.rfft(tone * np.hanning(len(tone)), RATE))) == pytest.approx(440, abs=4)
    bent = fonts.play(preset, notes, 1.6, tuning=1.0).mean(axis=0)[round(0.6 * RATE) : round(0.8 * RATE)]
    peak = np.argmax(np.abs(np.fft.rfft(bent * np.hanning(len(bent)), RATE)))
    assert peak == pytest.approx(440 * 2 ** (1 / 12), abs=4)


@needs_fonts
def test_songs_depend_on_seed_and_number_alone(tmp_path: Path) -> None:
    sources = SongSources(pop909_zip(tmp_path / "p.zip"), groove_zip(tmp_path / "g.zip"))
    one, two = (Request(tmp_path / name, 2, 4.0, seed=5) for name in ("one", "two"))
    assert make_songs(sources, one, workers=1) == (2, [])
    (tmp_path / "one" / "song-5-00000" / "drums.flac").touch()
    stamp = (tmp_path / "one" / "song-5-00001").stat().st_mtime_ns
    assert make_songs(sources, one, workers=1) == (0, [])  # all there: nothing is made again
    assert (tmp_path / "one" / "song-5-00001").stat().st_mtime_ns == stamp
    maker = sources.open()
    write_song(two.folder(1), maker.make(5, 1, 4.0), "flac")  # without song 0 before it
    assert not list((tmp_path / "one").glob(".*"))
    for file in one.folder(1).iterdir():
        assert file.read_bytes() == (two.folder(1) / file.name).read_bytes(), file.name
        sound = read_audio(file)
        assert sound.samples.shape == (2, 4 * RATE) and sound.sample_rate == RATE
        assert np.abs(sound.samples).max() <= 0.9


def test_command_names_what_is_missing(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    command = ["songs", str(tmp_path / "out"), "--pop909", str(tmp_path / "no.zip"), "--groove", "g.zip"]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, UserError) and "no.zip" in str(result.exception)
    result = CliRunner().invoke(app, [*command, "--format", "mp3"])
    assert isinstance(result.exception, UserError) and "flac" in str(result.exception)


def test_missing_soundfonts_are_named_with_their_packages(tmp_path: Path) -> None:
    pytest.importorskip("fluidsynth")
    assert FOLDERS
    with pytest.raises(UserError, match="musescore-general-soundfont"):
        SoundFonts([tmp_path])


@needs_fonts
def test_workers_end_when_the_command_is_killed(tmp_path: Path) -> None:
    pop909, groove = pop909_zip(tmp_path / "p.zip"), groove_zip(tmp_path / "g.zip")
    arguments = [
        "songs",
        str(tmp_path / "out"),
        "--pop909",
        str(pop909),
        "--groove",
        str(groove),
        "--count",
        "500",
    ]
    script = f"if __name__ == '__main__':\n    from song_maker.cli import app\n    app({arguments!r})\n"
    (tmp_path / "run.py").write_text(script)
    process = subprocess.Popen([sys.executable, str(tmp_path / "run.py")])
    out = tmp_path / "out"
    wait_until(lambda: out.is_dir() and any(path.name.startswith("song") for path in out.iterdir()))
    process.kill()
    process.wait()

    def files() -> int:
        return sum(1 for _ in out.rglob("*"))

    time.sleep(1)
    settled = files()
    time.sleep(4)  # more than a song takes
    assert files() == settled
    # What was being written when it ended is not taken for a song.
    for song in find_songs(out, SOURCES, alias_table(SOURCES)):
        assert all(read_audio(file.path).samples.any() for stem in song.stems for file in stem)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
