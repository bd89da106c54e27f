"""Singing: the bank is cut at its syllables, and the voice sings the notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from htdemucs_n.errors import UserError
from song_maker.arrangement import Arrangement
from song_maker.chords import Chord
from song_maker.effects import RATE, rms
from song_maker.notes import Note
from song_maker.singing import Singer, draw_singer, phrased, sing
from song_maker.styles import STYLES
from song_maker.vocals import harmony, play_vocals
from song_maker.voice_bank import FRAME, VoiceBank

PITCH = 261.6
"""Hz on which the bank is sung."""

CHORDS = [Chord(0, 4, 0, (0, 4, 7), 0), Chord(4, 8, 7, (0, 4, 7), 7)]


def write_bank(folder: Path) -> Path:
    """A bank of one recording: five vowels of 0.8 s, each after 0.08 s of soft noise, from 0.1 s on."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    pieces = [np.zeros(RATE // 10)]
    for _ in range(5):
        time = np.arange(round(0.72 * RATE)) / RATE
        vowel = sum(np.sin(2 * np.pi * PITCH * k * time) / k for k in range(1, 30))
        pieces += [0.01 * rng.standard_normal(round(0.08 * RATE)), 0.1 * np.asarray(vowel)]
    soundfile.write(folder / "sa_si_su_se_so_s.wav", np.concatenate([*pieces, np.zeros(RATE // 10)]), RATE)
    (folder / "readme.txt").write_text("not sung")
    soundfile.write(folder / "ahh_hum.wav", np.zeros(100), RATE)  # too few syllables
    return folder


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> VoiceBank:
    pytest.importorskip("pyworld")
    folder = tmp_path_factory.mktemp("voices")
    return VoiceBank(write_bank(folder / "bank"), folder / "cache")


def plain_voice(lowest: int) -> Singer:
    return Singer(lowest, 1.0, np.zeros(8), 0.0, 0.0, 5.0, 0.04, 0.0, 0.0, (0,))


def pitch_of(sound: np.ndarray) -> float:
    """MIDI pitch of the strongest peak of the autocorrelation between 60 and 800 Hz."""
    spectrum = np.fft.rfft(sound * np.hanning(len(sound)), 4 * len(sound))
    lags = np.fft.irfft(np.abs(spectrum) ** 2)[: RATE // 60]
    first = RATE // 800
    return float(69 + 12 * np.log2(RATE / (first + np.argmax(lags[first:])) / 440))


def test_the_bank_is_cut_at_its_consonants(bank: VoiceBank) -> None:
    assert len(bank) == 1
    syllables = bank.syllables(0)
    assert len(syllables) == 5 and all(syllable.open for syllable in syllables)
    for syllable in syllables:
        # 0.72 s of vowel, of which the end leads into the next consonant and is left out.
        assert 0.5 < (len(syllable.envelope) - syllable.vowel) * FRAME < 0.75
        assert syllable.voiced[syllable.vowel :].mean() > 0.95


def test_the_analysis_is_kept_and_made_anew_for_another_file(tmp_path: Path) -> None:
    pytest.importorskip("pyworld")
    folder = write_bank(tmp_path / "bank")
    first = VoiceBank(folder, tmp_path / "cache").syllables(0)
    kept = list((tmp_path / "cache").iterdir())
    assert len(kept) == 1
    again = VoiceBank(folder, tmp_path / "cache").syllables(0)
    np.testing.assert_array_equal(first[2].envelope, again[2].envelope)
    kept[0].write_bytes(b"damaged")
    np.testing.assert_array_equal(VoiceBank(folder, tmp_path / "cache").syllables(0)[2].breath, first[2].breath)
    (folder / "sa_si_su_se_so_s.wav").write_bytes(b"no sound")
    bad = VoiceBank(folder, tmp_path / "cache")
    assert bad.syllables(0) == []  # a bad recording is left out, and said when there is no other
    with pytest.raises(UserError, match="no syllable is found"):
        draw_singer(bad, np.random.default_rng(0))


@pytest.mark.parametrize(("lowest", "octaves"), [(55, 0), (43, -12)])
def test_the_voice_sings_the_notes_in_its_own_octave(bank: VoiceBank, lowest: int, octaves: int) -> None:
    notes = [Note(0.3, 0.7, 60, 100), Note(1.0, 0.5, 64, 100), Note(2.5, 0.8, 57, 100)]
    sound = sing(notes, plain_voice(lowest), bank, 4.0, np.random.default_rng(0))
    assert sound.shape == (4 * RATE,) and np.abs(sound).max() == pytest.approx(1.0)
    for note in notes:
        middle = sound[round((note.start + 0.2) * RATE) : round((note.end - 0.1) * RATE)]
        assert pitch_of(middle) == pytest.approx(note.pitch + octaves, abs=0.6)
    assert rms(sound[round(1.9 * RATE) : round(2.1 * RATE)]) < 0.01 * rms(sound[round(1.2 * RATE) : round(1.4 * RATE)])
    again = sing(notes, plain_voice(lowest), bank, 4.0, np.random.default_rng(0))
    np.testing.assert_array_equal(sound, again)


def test_a_longer_vocal_tract_moves_the_spectrum_down(bank: VoiceBank) -> None:
    notes = [Note(0.2, 1.5, 60, 100)]

    def centroid(tract: float) -> float:
        voice = Singer(55, tract, np.zeros(8), 0.0, 0.0, 5.0, 0.04, 0.0, 0.0, (0,))
        spectrum = np.abs(np.fft.rfft(sing(notes, voice, bank, 2.0, np.random.default_rng(0)))) ** 2
        return float(np.sum(spectrum * np.arange(len(spectrum))) / spectrum.sum())

    assert centroid(1.3) < centroid(1.0) < centroid(0.8)


def test_vocals_are_stereo_and_silent_without_a_melody(bank: VoiceBank) -> None:
    melody = [Note(float(beat), 0.9, 60 + beat, 90) for beat in range(6)]
    plan = Arrangement(STYLES["pop"], 100.0, 8.0, CHORDS, [], melody, [], [])
    sound = play_vocals(plan, 4.8, bank, np.random.default_rng(3))
    assert sound.shape == (2, round(4.8 * RATE)) and rms(sound) > 0.01
    empty = Arrangement(STYLES["pop"], 100.0, 8.0, CHORDS, [], [], [], [])
    assert not play_vocals(empty, 4.8, bank, np.random.default_rng(3)).any()
    voices = {draw_singer(bank, np.random.default_rng(seed)).tract for seed in range(20)}
    assert len(voices) == 20


def test_notes_last_until_the_next_but_for_rests() -> None:
    notes = [Note(0, 0.2, 60, 90), Note(0.5, 0.2, 62, 90), Note(2.0, 0.3, 64, 90), Note(3.0, 0.02, 64, 90)]
    assert [note.length for note in phrased(notes, 3.03)] == [0.5, pytest.approx(0.35), pytest.approx(0.45)]


@pytest.mark.parametrize("direction", [1, -1])
def test_harmony_is_in_the_chord_and_a_third_away_at_least(direction: int) -> None:
    melody = [Note(float(beat), 1.0, 60 + beat, 90) for beat in range(8)]
    plan = Arrangement(STYLES["pop"], 100.0, 8.0, CHORDS, [], melody, [], [])
    for note, other in zip(melody, harmony(melody, plan, direction), strict=True):
        assert 3 <= direction * (other.pitch - note.pitch) <= 12
        chord = CHORDS[0] if note.start < 4 else CHORDS[1]
        assert other.pitch % 12 in chord.pitch_classes


def test_a_folder_that_is_no_bank(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recordings of syllables"):
        VoiceBank(tmp_path, tmp_path)
