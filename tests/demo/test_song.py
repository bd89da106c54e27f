"""The demo song is what it says: in time, in tune, in balance, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from htdemucs_n.demo.effects import CONTROL_HOP, SAMPLE_RATE, additive, control_points, reverb
from htdemucs_n.demo.score import BEATS, Note, compose
from htdemucs_n.demo.song import make_song
from htdemucs_n.demo.voice import render_voice
from htdemucs_n.errors import UserError

SEED, SECONDS = 3, 8.0
Song = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def song() -> Song:
    return make_song(SEED, SECONDS)


def power_spectrum(samples: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in Hz and power `(bins,)`, channels added in power."""
    window = np.hanning(samples.shape[-1])
    power = (np.abs(np.fft.rfft(samples * window)) ** 2).sum(0)
    return np.fft.rfftfreq(samples.shape[-1], 1 / SAMPLE_RATE), power


@settings(max_examples=8, deadline=None)
@given(seconds=st.floats(1e-4, 1.3), seed=st.integers(0, 1000))
def test_length_is_exact_for_any_seconds(seconds: float, seed: int) -> None:
    stems = make_song(seed, seconds)
    assert list(stems) == ["drums", "bass", "other", "vocals"]
    for track in stems.values():
        assert track.shape == (2, round(seconds * SAMPLE_RATE))
        assert track.dtype == np.float32
        assert np.isfinite(track).all()
    assert np.abs(sum(stems.values())).max() < 1


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-9, float("nan"), float("inf")])
def test_no_song_without_a_sample(seconds: float) -> None:
    with pytest.raises(UserError, match="seconds"):
        make_song(0, seconds)


def test_negative_seed_is_refused() -> None:
    with pytest.raises(UserError, match="seed -1"):
        make_song(-1, 1.0)


def test_same_seed_same_bytes_other_seed_other_song(song: Song) -> None:
    again, other = make_song(SEED, SECONDS), make_song(SEED + 1, SECONDS)
    for stem, track in song.items():
        assert track.tobytes() == again[stem].tobytes()
        correlation = np.corrcoef(track.ravel(), other[stem].ravel())[0, 1]
        assert abs(correlation) < 0.5


def test_the_seed_chooses_tempo_key_and_chords() -> None:
    scores = [compose(seed, 8.0) for seed in range(12)]
    assert len({score.tempo for score in scores}) > 6
    assert len({(score.tonic, score.mode) for score in scores}) > 6
    assert {score.mode for score in scores} == {"major", "minor"}
    assert len({score.chords for score in scores}) > 8


def test_a_longer_song_begins_as_the_shorter_one() -> None:
    short, long = compose(SEED, 8.0), compose(SEED, 30.0)
    first_bars = short.seconds(3 * BEATS)
    for part in ("drums", "keys", "guitar", "pad", "melody"):
        played = [[n for n in getattr(score, part) if n.start < first_bars] for score in (short, long)]
        assert played[0] == played[1]


def test_levels_are_those_of_a_mix(song: Song) -> None:
    level = {stem: 20 * np.log10(track.std()) for stem, track in song.items()}
    assert abs(level["drums"] - level["vocals"]) < 1
    assert -4 < level["bass"] - level["vocals"] < -1
    assert -6 < level["other"] - level["vocals"] < -2
    mixture = sum(song.values())
    assert 0.88 < np.abs(mixture).max() < 0.9
    assert -22 < 20 * np.log10(mixture.std()) < -12


def test_stereo_width_is_where_it_belongs(song: Song) -> None:
    width = {stem: np.var(track[0] - track[1]) / np.var(track[0] + track[1]) for stem, track in song.items()}
    assert width["bass"] < 0.01
    assert width["vocals"] < 0.1
    assert width["other"] > 0.1
    assert 0.001 < width["drums"] < 0.2


def test_energy_sits_where_the_instruments_play(song: Song) -> None:
    def share(stem: str, low: float, high: float) -> float:
        frequency, power = power_spectrum(song[stem])
        return float(power[(frequency >= low) & (frequency < high)].sum() / power.sum())

    assert share("bass", 30, 400) > 0.9
    assert share("drums", 30, 130) > 0.4  # kick
    assert share("drums", 4000, 20_000) > 0.02  # hats and wires
    assert share("vocals", 90, 4000) > 0.95
    assert share("vocals", 1000, 4000) > 0.02  # upper formants
    assert share("other", 120, 4000) > 0.95


def test_every_note_is_in_the_key() -> None:
    scales = {"major": {0, 2, 4, 5, 7, 9, 11}, "minor": {0, 2, 3, 5, 7, 8, 10}}
    for seed in range(20):
        score = compose(seed, 20.0)
        for note in (*score.bass, *score.keys, *score.guitar, *score.pad, *score.melody):
            assert (note.pitch - score.tonic) % 12 in scales[score.mode]


def test_melody_meets_the_chord_on_the_beat_and_rests_between_phrases() -> None:
    for seed in range(20):
        score = compose(seed, 20.0)
        for note in score.melody:
            beat = note.start * score.tempo / 60
            if abs(beat - round(beat)) < 1e-6:
                assert note.pitch % 12 in score.chords[round(beat) // BEATS][:3]
        rests = [b.start - (a.start + a.length) for a, b in zip(score.melody, score.melody[1:], strict=False)]
        assert min(rests) > -1e-9
        assert sum(rest > 0.25 for rest in rests) >= 2


def test_bass_plays_the_root_at_the_start_of_each_bar() -> None:
    score = compose(SEED, 20.0)
    for bar, chord in enumerate(score.chords):
        first = [note for note in score.bass if abs(note.start - score.seconds(bar * BEATS)) < 1e-9]
        assert [note.pitch % 12 for note in first] == [chord[0]]


@pytest.mark.parametrize("seed", [0, SEED])
def test_drum_onsets_fall_on_the_swung_grid(seed: int) -> None:
    score, drums = compose(seed, SECONDS), make_song(seed, SECONDS)["drums"].sum(0)
    # Attack = sudden rise of the level in 3 ms frames, of treble (a second difference leaves no bodies).
    hop = 128
    frames = (len(drums) - 2) // hop
    energy = (np.diff(drums, 2)[: frames * hop].reshape(frames, hop) ** 2).sum(1)
    level = np.log(energy + 1e-4 * energy.max())
    rise = np.diff(level, prepend=level.min())
    peaks = [f for f in range(frames - 1) if rise[f] == rise[max(0, f - 15) : f + 16].max() and rise[f] > 1.2]
    onsets = np.array(peaks) * hop / SAMPLE_RATE
    assert len(onsets) > 10

    # The grid in closed form: sixteenths, the odd ones late by `swing` of an eighth.
    sixteenth = 60 / score.tempo / 4
    steps = np.arange(int(SECONDS / sixteenth) + 1)
    grid = (steps + 2 * score.swing * (steps % 2)) * sixteenth
    distance = np.abs(onsets[:, None] - grid).min(axis=1)
    assert np.quantile(distance, 0.9) < 0.012
    # The other way round: the snare's backbeat is heard in every full bar without a fill.
    for beat in (1, 3, 5, 7):
        assert np.abs(onsets - beat * 60 / score.tempo).min() < 0.012


def test_other_holds_the_tones_of_each_chord(song: Song) -> None:
    score = compose(SEED, SECONDS)
    for bar, chord in enumerate(score.chords[:3]):
        first, last = (round(score.seconds(bar * BEATS + beat) * SAMPLE_RATE) for beat in (0.5, BEATS))
        frequency, power = power_spectrum(song["other"][:, first:last])
        inside = (frequency > 150) & (frequency < 560)  # the octaves of the voicings
        pitch = 69 + 12 * np.log2(frequency[inside] / 440)
        in_tune = np.abs(pitch - np.round(pitch)) < 0.3
        chroma = np.zeros(12)
        np.add.at(chroma, np.round(pitch[in_tune]).astype(int) % 12, power[inside][in_tune])
        strongest = set(np.argsort(chroma)[-len(chord) :].tolist())
        assert strongest == set(chord)


def pitch_of(frame: NDArray[np.floating]) -> tuple[float, float]:
    """Pitch (MIDI) of `frame` `(T,)` by autocorrelation between 80 and 600 Hz, and its clarity 0 to 1."""
    size = 2 * len(frame)
    spectrum = np.fft.rfft(frame - frame.mean(), size)
    overlap = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(len(frame)), size)) ** 2)
    spectrum = np.fft.rfft((frame - frame.mean()) * np.hanning(len(frame)), size)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: len(frame) // 2] / overlap[: len(frame) // 2]
    shortest, longest = SAMPLE_RATE // 600, SAMPLE_RATE // 80
    lag = shortest + int(np.argmax(correlation[shortest:longest]))
    # Take the shortest lag that is nearly as good: multiples of the period correlate as well.
    for divisor in (4, 3, 2):
        near = round(lag / divisor)
        around = correlation[near - 3 : near + 4]
        if near - 3 >= shortest and around.max() > 0.9 * correlation[lag]:
            lag = near - 3 + int(np.argmax(around))
            break
    left, middle, right = correlation[lag - 1 : lag + 2]
    exact = lag + 0.5 * (left - right) / (left - 2 * middle + right)
    return 69 + 12 * np.log2(SAMPLE_RATE / exact / 440), float(middle / correlation[0])


@pytest.mark.parametrize("seed", [1, SEED])
def test_the_voice_sings_the_melody(seed: int) -> None:
    score = compose(seed, SECONDS)
    vocals = make_song(seed, SECONDS)["vocals"].sum(0)
    size = 2048
    errors = []
    for note in score.melody:
        for moment in np.arange(note.start + 0.1, note.start + note.length - 0.05, 0.02):
            first = round(moment * SAMPLE_RATE) - size // 2
            if first < 0 or first + size > len(vocals):
                continue
            pitch, clarity = pitch_of(vocals[first : first + size])
            if clarity > 0.7:
                errors.append(abs(pitch - note.pitch))
    assert len(errors) > 80
    assert np.mean(np.array(errors) < 0.5) > 0.85
    assert np.median(errors) < 0.25


def test_vowels_have_their_formants() -> None:
    # One long low note each: the harmonic nearest the first formant is the strongest of all.
    for syllable, formant in (("a", 730), ("o", 500), ("i", 290)):
        note = Note(start=0.4, length=1.0, pitch=43, velocity=1.0, syllable=syllable)
        sound = render_voice([note], 2 * SAMPLE_RATE, np.random.default_rng(0))[:, 30_000:55_000]
        frequency, power = power_spectrum(sound)
        assert abs(frequency[power.argmax()] - formant) < 60


def test_the_voice_is_silent_in_rests() -> None:
    notes = [Note(0.5, 0.5, 60, 1.0, "la"), Note(3.0, 0.5, 60, 1.0, "la")]
    sound = render_voice(notes, 4 * SAMPLE_RATE, np.random.default_rng(0))
    rest = slice(round(1.3 * SAMPLE_RATE), round(2.6 * SAMPLE_RATE))
    assert np.abs(sound[:, rest]).max() < 1e-3 * np.abs(sound).max()


def test_additive_is_the_sum_of_harmonics() -> None:
    rng = np.random.default_rng(0)
    length = 5000
    phase = np.cumsum(rng.uniform(0.01, 0.05, length))
    weights = rng.standard_normal((3, control_points(length))) + 1j * rng.standard_normal((3, control_points(length)))
    position = np.arange(length) / CONTROL_HOP
    expected = np.zeros(length)
    for k, weight in enumerate(weights, start=1):
        amplitude = np.interp(position, np.arange(len(weight)), weight.real)
        quadrature = np.interp(position, np.arange(len(weight)), weight.imag)
        expected += amplitude * np.cos(k * phase) - quadrature * np.sin(k * phase)
    np.testing.assert_allclose(additive(phase, weights), expected, atol=1e-9)


def test_reverb_keeps_the_direct_sound_and_decays_by_its_time() -> None:
    click = np.zeros((2, 2 * SAMPLE_RATE))
    click[:, 0] = 1
    wet = reverb(click, np.random.default_rng(0), seconds=1.0, wet=0.5)
    assert wet[0, 0] == pytest.approx(1, abs=1e-9)
    assert np.abs(wet[:, 1 : round(0.011 * SAMPLE_RATE)]).max() < 1e-9  # nothing before the walls answer
    energy = (wet[:, 1:] ** 2).sum(1)
    np.testing.assert_allclose(energy, 0.25, rtol=0.05)
    early, late = ((wet[:, round(t * SAMPLE_RATE) :][:, :4410] ** 2).sum() for t in (0.1, 0.6))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=3)
