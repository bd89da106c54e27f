"""Each metric against an independent computation, and against its definition for gains, shifts and silence."""

from __future__ import annotations

import math
import sys
import types
from unittest.mock import MagicMock

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from htdemucs_n.evaluation.bss_eval import METRICS, bss_eval
from htdemucs_n.evaluation.leakage import leaked_energy
from htdemucs_n.evaluation.oracles import ideal_ratio_mask, wiener
from htdemucs_n.evaluation.score import GROUPS, badness
from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.evaluation.si_sdr import si_sdr
from htdemucs_n.evaluation.spectral_distance import log_spectral_distance

RATE = 4000
"""Hz: BSS Eval's cost is in the samples."""


def noise(seed: int, seconds: float = 2.0, channels: int = 2, rate: int = RATE) -> Tensor:
    """`(C, T)`, RMS 0.1."""
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(channels, round(seconds * rate), generator=generator)


def pair(channels: int = 1, seconds: float = 2.5) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Two stems, and estimates that leak, filter and hiss."""
    truth = {"a": noise(0, seconds, channels), "b": noise(1, seconds, channels)}
    guess = {
        "a": 0.8 * truth["a"] + 0.2 * truth["b"] + 0.1 * noise(2, seconds, channels),
        "b": 0.7 * torch.roll(truth["b"], 3, -1) + 0.3 * noise(3, seconds, channels),
    }
    return truth, guess


def scores(truth: dict[str, Tensor], guess: dict[str, Tensor]) -> tuple[dict[str, dict[str, float]], list[str]]:
    arrays = [{stem: track.numpy() for stem, track in tracks.items()} for tracks in (truth, guess)]
    return bss_eval(arrays[0], arrays[1], RATE)


@pytest.fixture
def museval(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The package as it is; its reader of MUSDB18, which asks for the program ffmpeg, is not needed here."""
    pytest.importorskip("pandas")
    if "museval" not in sys.modules:
        monkeypatch.setitem(sys.modules, "musdb", MagicMock())
    return pytest.importorskip("museval")


@pytest.mark.parametrize(("channels", "seconds"), [(1, 0.6), (1, 1.0), (1, 3.2), (2, 2.1)])
def test_bss_eval_is_that_of_museval(museval: types.ModuleType, channels: int, seconds: float) -> None:
    truth, guess = pair(channels, seconds)
    arrays = [np.stack([track.T.numpy() for track in tracks.values()]) for tracks in (truth, guess)]
    direct = museval.evaluate(arrays[0].astype(float), arrays[1].astype(float), win=RATE, hop=RATE)
    found, notes = scores(truth, guess)
    assert notes == []
    order = [["sdr", "isr", "sir", "sar"].index(metric) for metric in METRICS]
    for index, stem in enumerate(truth):
        for metric, place in zip(METRICS, order, strict=True):
            assert found[stem][metric] == pytest.approx(np.nanmedian(direct[place][index]), abs=1e-6)


def test_a_silent_stem_leaves_the_scores_of_the_others(museval: types.ModuleType) -> None:
    """Of three stems one is silent: the others score as if there were two. The same for a stem without an estimate."""
    truth, guess = pair()
    expected, _ = scores(truth, guess)
    silent = torch.zeros_like(truth["a"])
    found, notes = scores({"a": truth["a"], "c": silent, "b": truth["b"]}, {**guess, "c": noise(7, 2.5, 1)})
    assert all(found[stem] == pytest.approx(expected[stem]) for stem in expected)
    assert "c" not in found
    assert notes == ["c: no BSS Eval, the reference is silent"]
    found, notes = scores(truth, {"a": silent, "b": guess["b"]})
    assert found["b"] == pytest.approx(expected["b"])
    assert found.keys() == {"b"}
    assert notes == ["a: no BSS Eval, the estimate is silent"]
    found, notes = scores(truth, {"a": guess["a"]})
    assert found["a"] == pytest.approx(expected["a"])
    assert notes == []
    assert scores(truth, dict.fromkeys(truth, silent))[0] == {}
    assert scores(dict.fromkeys(truth, silent), guess)[0] == {}


def test_seconds_with_a_silent_stem_do_not_count(museval: types.ModuleType) -> None:
    truth, guess = pair(seconds=4.0)
    truth["b"][:, RATE : 2 * RATE] = 0
    arrays = [np.stack([track.T.numpy() for track in tracks.values()]) for tracks in (truth, guess)]
    direct = museval.evaluate(arrays[0].astype(float), arrays[1].astype(float), win=RATE, hop=RATE)[0]
    assert np.isnan(direct[:, 1]).all()
    found, _ = scores(truth, guess)
    assert found["a"]["sdr"] == pytest.approx(np.median(direct[0, [0, 2, 3]]), abs=1e-6)
    truth["a"][:, ::] = truth["a"] * (torch.arange(4 * RATE) // RATE == 1)
    assert scores(truth, guess) == ({}, [f"{stem}: no BSS Eval, every second has a silent stem" for stem in "ab"])


@pytest.mark.parametrize("samples", [1, 100, 600])
def test_bss_eval_of_a_moment(samples: int) -> None:
    truth = {"a": noise(0)[:, :samples], "b": noise(1)[:, :samples]}
    found, _ = scores(truth, {"a": noise(2)[:, :samples], "b": truth["b"]})
    assert all(math.isfinite(value) for stem in found.values() for value in stem.values())


def test_bss_eval_of_the_truth_and_of_equal_stems() -> None:
    truth, _ = pair()
    perfect, _ = scores(truth, truth)
    assert all(100 < value <= 300 for stem in perfect.values() for value in stem.values())
    same = {"a": truth["a"], "b": truth["a"].clone()}
    found, notes = scores(same, truth)
    assert notes or all(math.isfinite(value) for stem in found.values() for value in stem.values())


def test_bss_eval_takes_gain_and_delay_for_spatial_distortion() -> None:
    """A gain or a delay is spatial distortion: it lowers SDR and ISR, and leaves SIR and SAR high."""
    truth, _ = pair()
    for change in (lambda x: 0.5 * x, lambda x: torch.roll(x, 20, -1)):
        found, _ = scores(truth, {stem: change(track) for stem, track in truth.items()})
        for stem in truth:
            assert found[stem]["sdr"] == pytest.approx(found[stem]["isr"], abs=0.5)
            assert found[stem]["sdr"] < 7
            assert min(found[stem]["sir"], found[stem]["sar"]) > 20
    gain, _ = scores(truth, {stem: 0.5 * track for stem, track in truth.items()})
    assert gain["a"]["sdr"] == pytest.approx(20 * np.log10(2), abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(gain=st.floats(0.01, 100) | st.floats(-100, -0.01), level=st.floats(0.01, 3.0), seed=st.integers(0, 99))
def test_si_sdr(gain: float, level: float, seed: int) -> None:
    """Against the projection by least squares; no gain changes it."""
    truth, error = noise(seed, 0.2), level * noise(seed + 100, 0.2)
    guess = gain * (truth + error)
    x, y = truth.double().flatten().numpy(), guess.double().flatten().numpy()
    (alpha,), *_ = np.linalg.lstsq(x[:, None], y, rcond=None)
    expected = 10 * np.log10(np.sum((alpha * x) ** 2) / np.sum((y - alpha * x) ** 2))
    assert float(si_sdr(truth, guess)) == pytest.approx(expected, abs=1e-4)
    assert float(si_sdr(truth, truth + error)) == pytest.approx(expected, abs=1e-3)


def test_si_sdr_at_its_ends() -> None:
    truth, silence = noise(0), torch.zeros(2, 100)
    assert float(si_sdr(truth, -3 * truth)) == pytest.approx(100, abs=1)
    orthogonal = (
        torch.stack([truth[0], torch.zeros_like(truth[1])]),
        torch.stack([torch.zeros_like(truth[1]), truth[0]]),
    )
    assert float(si_sdr(*orthogonal)) == pytest.approx(-100, abs=1)
    assert math.isnan(float(si_sdr(silence, truth[:, :100])))
    assert math.isnan(float(si_sdr(truth[:, :100], silence)))
    shifted = torch.roll(truth, 1, -1)
    assert float(si_sdr(truth, shifted)) < -10, "white noise a sample late has nothing in common with itself"


def test_scaling_moves_global_sdr_and_not_si_sdr() -> None:
    truth = noise(0)
    assert float(global_sdr(truth, 0.5 * truth)) == pytest.approx(20 * np.log10(2), abs=1e-4)
    assert float(global_sdr(truth, 0 * truth)) == pytest.approx(0)
    assert float(si_sdr(truth, 0.5 * truth)) > 90


def test_log_spectral_distance_against_scipy() -> None:
    rate = 44100
    truth, guess = noise(0, 0.5, rate=rate), noise(1, 0.5, rate=rate)
    guess[:, 5000:9000] = 0
    frames = [
        scipy.signal.stft(x.double(), rate, "hann", 2048, 1536, boundary="zeros", padded=False, scaling="spectrum")[2]
        * scipy.signal.get_window("hann", 2048).sum()
        for x in (truth, guess)
    ]
    floor = (np.abs(frames[0]) ** 2).max() * 1e-8
    levels = [10 * np.log10(np.maximum(np.abs(x) ** 2, floor)) for x in frames]
    expected = np.sqrt(np.mean((levels[0] - levels[1]) ** 2, axis=1)).mean()
    assert log_spectral_distance(truth, guess) == pytest.approx(expected, rel=1e-4)


def test_log_spectral_distance_by_its_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = noise(0, 3.0, rate=44100)
    assert log_spectral_distance(truth, truth) == 0
    assert log_spectral_distance(truth, -truth) == 0, "no phases"
    assert log_spectral_distance(truth, 10 * truth) == pytest.approx(20, abs=0.01)
    assert math.isnan(log_spectral_distance(torch.zeros(2, 5000), truth[:, :5000]))
    assert math.isfinite(log_spectral_distance(truth[:, :1], truth[:, 1:2]))
    guess = noise(1, 3.0, rate=44100)
    lengths = (truth.shape[1], 8 * 512)  # the second: whole blocks, and one frame more
    wholes = [log_spectral_distance(truth[:, :length], guess[:, :length]) for length in lengths]
    monkeypatch.setattr("htdemucs_n.evaluation.spectral_distance._BLOCK", 4 * 512)
    for length, whole in zip(lengths, wholes, strict=True):
        assert log_spectral_distance(truth[:, :length], guess[:, :length]) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("samples", [1, 2047, 2048, 2049, 2560])
def test_log_spectral_distance_of_a_moment(samples: int) -> None:
    assert log_spectral_distance(noise(0)[:, :samples], 10 * noise(0)[:, :samples]) == pytest.approx(20, abs=0.1)


def test_leaked_energy() -> None:
    mixture = noise(0)
    assert leaked_energy(0.1 * mixture, mixture) == pytest.approx(-20, abs=1e-4)
    assert leaked_energy(0 * mixture, mixture) == -120
    assert leaked_energy(mixture, mixture) == pytest.approx(0, abs=1e-6)
    assert math.isnan(leaked_energy(mixture, 0 * mixture))


@pytest.fixture(scope="module")
def song() -> dict[str, Tensor]:
    """Three stems of different spectra, places and times, 2 s at 44.1 kHz."""
    rate = 44100
    stems = {}
    for seed, (stem, band, pan) in enumerate(
        [("low", (50, 900), (1.0, 0.4)), ("mid", (300, 4000), (0.5, 1.0)), ("high", (2000, 12000), (0.7, 0.7))]
    ):
        sos = scipy.signal.butter(2, band, "bandpass", fs=rate, output="sos")
        track = scipy.signal.sosfilt(sos, noise(seed, 2.0, 1, rate).numpy())
        envelope = 0.55 + 0.45 * np.sin(2 * np.pi * (seed + 1) * np.arange(track.shape[1]) / rate)
        stems[stem] = torch.from_numpy(np.stack([track[0] * envelope * gain for gain in pan]).astype(np.float32))
    return stems


def test_the_oracles_beat_what_is_no_oracle(song: dict[str, Tensor]) -> None:
    """The mixture, silence, and the best that one fixed filter a channel and stem can do without knowing the time."""
    mixture = torch.stack(list(song.values())).sum(0)
    spectra = {stem: torch.fft.rfft(track.double()).abs().square() for stem, track in song.items()}
    total = torch.stack(list(spectra.values())).sum(0)
    for oracle in (ideal_ratio_mask, wiener):
        for stem, estimate in oracle(song, mixture).items():
            fixed = torch.fft.irfft(torch.fft.rfft(mixture.double()) * spectra[stem] / total, n=mixture.shape[1])
            score = float(global_sdr(song[stem], estimate))
            for other in (mixture, 0 * mixture, fixed, 0.5 * mixture):
                assert score > float(global_sdr(song[stem], other)) + 1
    mask, filtered = ideal_ratio_mask(song, mixture), wiener(song, mixture)
    for stem, track in song.items():
        assert float(global_sdr(track, filtered[stem])) > float(global_sdr(track, mask[stem])), (
            "it knows the places too"
        )


@pytest.mark.parametrize("oracle", [ideal_ratio_mask, wiener])
def test_oracles_of_short_silent_and_mono_songs(song: dict[str, Tensor], oracle: object) -> None:
    assert callable(oracle)
    alone = oracle({"a": song["mid"], "b": 0 * song["mid"]}, song["mid"])
    assert float(global_sdr(song["mid"], alone["a"])) > 50
    assert float(alone["b"].abs().max()) < 1e-4
    silent = oracle({"a": torch.zeros(2, 500), "b": torch.zeros(2, 500)}, torch.zeros(2, 500))
    assert all(not track.isnan().any() and not track.any() for track in silent.values())
    mono = oracle({stem: track[:1] for stem, track in song.items()}, torch.stack(list(song.values())).sum(0)[:1])
    assert {tuple(track.shape) for track in mono.values()} == {(1, 88200)}
    short = oracle({stem: track[:, :1] for stem, track in song.items()}, torch.stack(list(song.values())).sum(0)[:, :1])
    assert all(track.isfinite().all() for track in short.values())


def test_oracles_add_up_to_the_mixture(song: dict[str, Tensor]) -> None:
    mixture = torch.stack(list(song.values())).sum(0)
    for oracle in (ideal_ratio_mask, wiener):
        assert float(global_sdr(mixture, torch.stack(list(oracle(song, mixture).values())).sum(0))) > 50


def test_every_metric_has_the_direction_of_its_definition() -> None:
    errors = {"LSD", "leak", "treble", "lines"}  # distances and what should not be there
    bands = set(GROUPS["faults"]) - errors
    for metric in (metric for metrics in GROUPS.values() for metric in metrics):
        if metric in bands:  # errors of a level, in dB
            assert badness(metric, -3.0) == badness(metric, 3.0) > badness(metric, 1.0)
        else:
            assert (badness(metric, 2.0) > badness(metric, 1.0)) == (metric in errors), metric
