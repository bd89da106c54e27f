"""Recordings of drums: their parts add up whatever the bus did, and what is scored on is never trained on."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from song_maker import effects
from song_maker.drum_desk import channel
from song_maker.drum_kits import GROUPS, ElectronicKit
from song_maker.drum_recording import PARTS, DrumRecorder, _mixed, _voiced, _with_fills
from song_maker.effects import RATE
from song_maker.groove import GrooveSet
from song_maker.hits import HitsKit, muldjord_kit
from song_maker.kit_list import KitSource, held_out_kits, training_kits
from song_maker.library import DrumSources, Request, make_songs
from song_maker.notes import Note
from song_maker.soundfonts import SoundFonts
from song_maker_helpers import groove_zip, midi_bytes, needs_fonts

MACHINE = KitSource("machine", "none", 1.0, lambda rng, tuning: ElectronicKit(np.random.default_rng(3)), True)
ACOUSTIC = dataclasses.replace(MACHINE, electronic=False)


def test_every_piece_is_of_one_part() -> None:
    assert set(PARTS) == {"kick", "snare", "hihat", "toms", "cymbals"}
    pieces = [piece for part in PARTS for piece in GROUPS[part]]
    assert len(pieces) == len(set(pieces))


@pytest.mark.parametrize("seed", range(12))
def test_the_bus_works_on_the_sum(seed: int) -> None:
    """A part that is two tracks comes out as the sum of what comes out for the two: nothing works on a part alone."""
    rng = np.random.default_rng(seed)
    parts = {name: 0.2 * rng.standard_normal((2, 4000)) for name in ("snare", "toms", "hihat")}
    whole = {"snare": parts["snare"], "toms": parts["toms"] + parts["hihat"]}
    apart, together = (_mixed(dict(tracks), np.random.default_rng(seed)) for tracks in (parts, whole))
    level = effects.rms(sum(together.values())) / effects.rms(sum(apart.values()))  # peaks of parts decide it
    np.testing.assert_allclose(together["snare"], level * apart["snare"], atol=1e-9)
    np.testing.assert_allclose(together["toms"], level * (apart["toms"] + apart["hihat"]), atol=1e-9)
    assert max(np.abs(part).max() for part in apart.values()) <= 0.95


def test_the_same_numbers_give_the_same_recording(tmp_path: Path) -> None:
    recorder = DrumRecorder(GrooveSet(groove_zip(tmp_path / "g.zip")), [MACHINE])
    first, again, other = (recorder.make(1, number, 3.0) for number in (0, 0, 1))
    assert first.keys() == again.keys() and set(first) <= set(PARTS)
    assert all(np.array_equal(first[part], again[part]) for part in first)
    assert not np.array_equal(sum(first.values()), sum(other.values()))


def test_fills_leave_the_kick_and_come_before_the_bar() -> None:
    hits = [Note(beat / 2, 0.1, 36 if beat % 2 else 42, 100) for beat in range(64)]
    played = _with_fills(hits, 32.0, np.random.default_rng(0))
    kicks = [hit for hit in hits if hit.pitch == 36]
    assert [hit for hit in played if hit.pitch == 36] == kicks
    toms = [hit.start for hit in played if hit.pitch in GROUPS["toms"]]
    assert toms and all(start < 32 for start in toms)
    lost = {hit for hit in hits if hit.pitch == 42} - set(played)
    assert {int(start // 4) for start in toms} == {int(hit.start // 4) for hit in lost}


def test_takes_to_score_on_are_none_to_train_on(tmp_path: Path) -> None:
    grooves = GrooveSet(groove_zip(tmp_path / "g.zip"))
    training, scoring = grooves.split()
    assert sorted(training._members + scoring._members) == grooves._members
    assert not set(training._members) & set(scoring._members)


@needs_fonts
def test_kits_to_score_on_are_none_to_train_on(tmp_path: Path) -> None:
    training = training_kits(SoundFonts(), tmp_path)
    assert "MuldjordKit" in {kit.name for kit in training}
    assert all(not kit.licence.startswith("GPL") for kit in training)
    try:
        scoring = held_out_kits()
    except Exception as error:
        pytest.skip(str(error))
    assert len(scoring) >= 3
    assert not {kit.name for kit in training} & {kit.name for kit in scoring}


def test_velocity_chooses_the_hit_and_neighbours_take_turns(tmp_path: Path) -> None:
    folder = tmp_path / "Snare"
    folder.mkdir()
    for number in range(1, 9):
        soundfile.write(folder / f"{number:02}.ogg", np.full((2000, 2), 0.1 * number), RATE)
    kit = muldjord_kit(tmp_path)
    sound = kit.play([Note(0.1 * index, 0.05, 38, 127) for index in range(6)], 1.0)
    heard = [round(10 * float(sound[0, round((0.1 * index + 0.02) * RATE)])) for index in range(6)]
    assert heard == [7, 8, 8, 7, 8, 8]
    soft = kit.play([Note(0.0, 0.05, 38, 1), Note(0.1, 0.05, 38, 1)], 1.0)
    assert soft[0, round(0.02 * RATE)] == pytest.approx(0.1, abs=0.02)
    assert not kit.play([Note(0.0, 0.1, 36, 100)], 0.5).any()


def test_a_single_hit_is_played_softer(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full((100, 1), 0.5), RATE, subtype="FLOAT")
    sound = HitsKit({36: [tmp_path / "a.wav"]}).play([Note(0.0, 0.1, 36, 64)], 0.01)
    np.testing.assert_allclose(sound[:, :100], 0.5 * (0.2 + 0.8 * 64 / 127))


@needs_fonts
def test_recordings_are_written_as_songs_in_parts(tmp_path: Path) -> None:
    request = Request(tmp_path / "out", 2, 4.0, seed=5)
    assert make_songs(DrumSources(groove_zip(tmp_path / "g.zip")), request, workers=1) == (2, [])
    for number in range(2):
        files = list(request.folder(number).iterdir())
        assert files and {file.stem for file in files} <= set(PARTS)
        assert all(len(soundfile.read(file)[0]) == 4 * RATE for file in files)


def test_some_hats_ring_or_are_a_ride_but_not_in_scores(tmp_path: Path) -> None:
    closed = [(beat + 0.01, beat + 0.1, 42) for beat in range(22)]
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("groove/d/s/1_rock_100_beat_4-4.mid", midi_bytes({"MIDI": closed}, 100, channel=9))
    grooves = GrooveSet(tmp_path / "g.zip")
    times = {}
    for as_played in (False, True):
        recorder = DrumRecorder(grooves, [ACOUSTIC], as_played)
        pitches = [{hit.pitch for hit in recorder.record(5, number, 4.0)[0]} for number in range(60)]
        times[as_played] = [sum(hat in played for played in pitches) for hat in (42, 46, 51)]
    assert times[True] == [60, 0, 0]
    closed, ringing, ride = times[False]
    assert closed + ringing + ride == 60, "a recording has its hi-hat in one form"
    assert 7 <= ringing <= 23
    assert 7 <= ride <= 23


def test_a_voice_rings_for_another_time() -> None:
    """Hits of noise that fall by 10 dB in 0.18 s, so from 0.02 to 0.2 s after a hit."""
    time = np.arange(2 * RATE) / RATE
    noise = np.random.default_rng(0).standard_normal((2, len(time))) * np.exp(-(time % 0.5) / 0.156)

    def fall(sound: NDArray[np.float64]) -> float:
        levels = [np.square(sound[:, round(at * RATE) :][:, :882]).mean() for at in (1.02, 1.2)]
        return float(10 * np.log10(levels[0] / levels[1]))

    assert fall(noise) == pytest.approx(10, abs=1)
    falls = [fall(_voiced(noise, np.random.default_rng(seed))) for seed in range(40)]
    assert min(falls) < 7
    assert max(falls) > 15
    assert 6 < np.median(falls) < 14


@pytest.mark.parametrize("fader", [0.0, 3.0, 6.0])
def test_the_fader_moves_by_so_many_decibels(fader: float) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 4000))

    def level(fader: float, seed: int) -> float:
        return 20 * np.log10(effects.rms(channel("cymbals", noise, 100, np.random.default_rng(seed), fader)))

    moved = [level(fader, seed) - level(0.0, seed) for seed in range(300)]
    assert np.std(moved) == pytest.approx(fader, rel=0.15)
