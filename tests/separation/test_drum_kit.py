"""The parts of the drums beside the stems, with engines whose stems are known."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from audio_helpers import SOURCES, SplitEngine, tones
from htdemucs_n.cli.main import main
from htdemucs_n.errors import Cancelled, OptionError
from htdemucs_n.separation import Separator, StemChoice
from htdemucs_n.separation.drum_kit import DRUM_KIT, is_part, part_names
from process_helpers import COMMAND

PARTS = ("kick", "snare", "toms", "hihat", "cymbals")
PART_GAINS = (0.3, 0.25, 0.2, 0.15, 0.1)


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models of the song and of the drums are `SplitEngine`s, with segments of 0.1 and 0.13 s."""
    kit = SplitEngine(PART_GAINS, segment=0.13)
    kit.sources = PARTS

    def load(model: Any, **_: object) -> SplitEngine:
        return kit if model == DRUM_KIT else SplitEngine()

    monkeypatch.setattr("htdemucs_n.separation.separator.load_engine", load)


def noise(channels: int, length: int) -> NDArray[np.float32]:
    return np.random.default_rng(length).uniform(-0.5, 0.5, (channels, length)).astype(np.float32)


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize("rate", [8000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_parts_are_those_of_the_drums(channels: int, rate: int) -> None:
    """The stems are what they are without the parts, and the parts are the gains of the other model times the drums."""
    mixture = tones((100.0, 300.0, 900.0, 1300.0, 200.0, 700.0)[:channels], rate)  # segments have mean 0
    stems = Separator(drum_kit=True).separate(mixture, rate)
    alone = Separator().separate(mixture, rate)
    assert tuple(stems) == (*SOURCES, *part_names(PARTS))
    for name, samples in alone.items():
        np.testing.assert_array_equal(stems[name], samples)
    np.testing.assert_allclose(sum(stems[name] for name in part_names(PARTS)), stems["drums"], atol=1e-6)
    for part, gain in zip(part_names(PARTS), PART_GAINS, strict=True):
        middle = slice(rate // 8, -rate // 8)  # a resampler rounds off the ends
        np.testing.assert_allclose(stems[part][:, middle], gain * stems["drums"][:, middle], atol=2e-3)


@pytest.mark.usefixtures("engines")
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 9000), min_size=1, max_size=6), rate=st.sampled_from([22050, 44100]))
def test_a_stream_gives_the_same_in_time(lengths: list[int], rate: int) -> None:
    """Whatever the blocks: the bytes of the whole, and never later than `latency` says."""
    mixture = noise(2, sum(lengths))
    separator = Separator(drum_kit=True)
    whole = separator.separate(mixture, rate)
    given_out, taken = 0, 0

    def blocks() -> Iterator[NDArray[np.float32]]:
        nonlocal taken
        for block in np.split(mixture, np.cumsum(lengths)[:-1], axis=1):
            assert taken - given_out <= separator.latency(rate) + max(lengths)
            taken += block.shape[1]
            yield block

    pieces: dict[str, list[NDArray[np.float32]]] = {name: [] for name in whole}
    for out in separator.stream(blocks(), rate):
        assert len({samples.shape for samples in out.values()}) == 1
        given_out += out["drums"].shape[1]
        for name, samples in out.items():
            pieces[name].append(samples)
    for name, samples in whole.items():
        np.testing.assert_array_equal(np.concatenate(pieces[name], axis=1), samples)


def test_a_model_without_drums(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SplitEngine()
    engine.sources = ("vocals", "piano", "guitar", "bass")
    monkeypatch.setattr("htdemucs_n.separation.separator.load_engine", lambda *_, **__: engine)
    with pytest.raises(
        OptionError,
        match=r"the parts of the stem drums.*vocals, piano, guitar, bass: leave --drum-kit .* out, or choose",
    ):
        Separator(drum_kit=True)
    monkeypatch.undo()
    with pytest.raises(OptionError, match=r"separates kick, snare, toms, hihat, cymbals: leave --drum-kit .* out"):
        Separator(DRUM_KIT, drum_kit=True, threads=1)


def test_parts_do_not_count_in_the_rest() -> None:
    names = (*SOURCES, *part_names(PARTS))
    stems = {name: np.full((1, 3), 2.0**n, np.float32) for n, name in enumerate(names)}
    assert [is_part(name) for name in names] == [False] * 4 + [True] * 5
    vocals, rest = StemChoice(names, two_stems="vocals").pick(stems)
    assert vocals[0, 0] == 8 and rest[0, 0] == 1 + 2 + 4
    kick, rest = StemChoice(names, two_stems="drums/kick").pick(stems)
    assert kick[0, 0] == 16 and rest[0, 0] == 1 + 2 + 4 + 8 - 16
    assert StemChoice(names, stems=["drums/snare", "bass"]).pick(stems)[0][0, 0] == 32


@pytest.mark.parametrize("engine", ["onnx", "openvino", "torch"])
def test_the_shipped_model_tells_a_kick_from_a_hihat(engine: str) -> None:
    """A falling sine and a burst of high noise, one after the other, go to their parts."""
    time = np.arange(44100) / 44100
    rng = np.random.default_rng(0)
    kick = np.sin(2 * np.pi * (50 * time - 2 * np.exp(-time / 0.02))) * np.exp(-time / 0.08) * 0.7
    noise = np.diff(rng.standard_normal(44101), n=1)
    hihat = 0.1 * np.diff(noise, prepend=0) * np.exp(-time / 0.02)
    mixture = np.tile(np.concatenate([kick, hihat]), 2).astype(np.float32)
    parts = Separator(DRUM_KIT, engine=engine, threads=1).separate(np.stack([mixture] * 2), 44100)
    energy = {name: (samples.reshape(2, 2, 2, 44100) ** 2).sum(axis=(0, 1, 3)) for name, samples in parts.items()}
    assert max(energy, key=lambda name: energy[name][0]) == "kick"
    assert max(energy, key=lambda name: energy[name][1]) == "hihat"


def test_silence_and_a_song_without_drums_stay_so() -> None:
    separator = Separator(drum_kit=True, threads=1)
    silence = separator.separate(np.zeros((2, 30000), np.float32), 44100)
    assert all(not samples.any() for samples in silence.values())
    tone = separator.separate(tones((440.0, 440.0), 8000, 3.0), 8000)
    whole = sum(float((tone[name] ** 2).sum()) for name in SOURCES)
    assert sum(float((tone[name] ** 2).sum()) for name in part_names(PARTS)) < 0.1 * whole


def test_the_command(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    soundfile.write(tmp_path / "song.wav", rng.uniform(-0.5, 0.5, (30000, 2)), 44100)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", COMMAND, "separate", "song.wav", "--drum-kit", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    done = run("-n", "bands")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "separated/bands/song"
    files = {str(path.relative_to(folder).as_posix()) for path in folder.rglob("*.wav")}
    assert files == {f"{name}.wav" for name in (*SOURCES, *part_names(PARTS))}
    drums = soundfile.read(folder / "drums.wav")[0]
    parts = sum(soundfile.read(folder / f"drums/{part}.wav")[0] for part in PARTS)
    np.testing.assert_allclose(parts, drums, atol=6 / 2**16)  # each file is rounded to 16 bits

    done = run("--format", "stem.mp4")
    assert done.returncode == 2 and "choose another format" in done.stderr and "Traceback" not in done.stderr


def separated(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    """Run the command on `loud.wav` in this process."""
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "separate", "loud.wav", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code


@pytest.fixture
def loud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A song whose vocals peak at 2, in the working folder; the folder of its stems."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("loud.wav", 10 * tones((440.0, 660.0), 44100).T, 44100, subtype="FLOAT")
    return Path("separated/bands/loud")


def lsb_apart(folder: Path, wholes: dict[str, float]) -> float:
    """By how many steps of 16 bits the parts differ from the drums, and every stem from its gain times the song."""
    read = {path.stem: soundfile.read(path)[0] for path in folder.rglob("*.wav")}
    song = soundfile.read("loud.wav")[0]
    apart = [sum(read[part] for part in PARTS) - read["drums"]]
    apart += [read[name] - gain * song for name, gain in wholes.items()]
    return float(max(np.abs(difference).max() for difference in apart)) * 2**15


SCALED = dict(zip(SOURCES, (0.05, 0.1, 0.15, 0.2), strict=True))
"""The gains of a `SplitEngine`, scaled by the 0.5 that the vocals of the loud song need."""


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize("options", [("--depth", "int16"), ("--depth", "int16", "--clip-mode", "limit")])
def test_parts_that_come_later_add_up_to_the_drums_that_are_there(
    monkeypatch: pytest.MonkeyPatch, loud: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The gain of a loud song is that of all its stems, whichever of them are written."""
    separated(monkeypatch, *options)
    before = {path: path.read_bytes() for path in loud.glob("*.wav")}
    separated(monkeypatch, *options, "--drum-kit")
    assert {path: path.read_bytes() for path in loud.glob("*.wav")} == before
    assert lsb_apart(loud, SCALED if "limit" not in options else {}) <= 2
    (loud / "drums/kick.wav").unlink()
    (loud / "vocals.wav").unlink()  # the loudest
    separated(monkeypatch, *options, "--drum-kit")
    assert lsb_apart(loud, SCALED if "limit" not in options else {}) <= 2
    assert "scaled otherwise" not in capsys.readouterr().out


def test_a_part_that_is_louder_than_the_stems_that_are_there(
    monkeypatch: pytest.MonkeyPatch, loud: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They keep their gain, 0.5, and a note says what to do; also where their gain is not known."""
    kit = SplitEngine((8.0, -4.0, -1.0, -1.0, -1.0))
    kit.sources = PARTS
    monkeypatch.setattr(
        "htdemucs_n.separation.separator.load_engine", lambda model, **_: kit if model == DRUM_KIT else SplitEngine()
    )
    separated(monkeypatch, "--depth", "int16")
    separated(monkeypatch, "--depth", "int16", "--drum-kit")
    said = capsys.readouterr().out
    assert "scaled by 0.250" in said  # the kick peaks at 8 * 0.1 * 5
    assert "the existing stems are scaled otherwise than the new ones and do not add up: --force writes all" in said
    assert lsb_apart(loud, SCALED | {"kick": 0.2}) > 1000

    for record in Path("separated/.htdemucs-n").glob("*.json"):  # as version 0.5 wrote them
        known = json.loads(record.read_text())
        del known["gain"]
        record.write_text(json.dumps(known))
    (loud / "drums/kick.wav").unlink()
    separated(monkeypatch, "--depth", "int16", "--drum-kit")
    assert "the existing stems may be scaled otherwise than the new ones" in capsys.readouterr().out

    separated(monkeypatch, "--depth", "int16", "--drum-kit", "--force")
    assert lsb_apart(loud, {name: gain / 2 for name, gain in SCALED.items()} | {"kick": 0.2}) <= 2
    assert "otherwise" not in capsys.readouterr().out


def test_cancelling_stops_before_the_drums_are_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    cancel = Event()
    kit = SplitEngine(PART_GAINS)
    kit.sources = PARTS
    monkeypatch.setattr(
        "htdemucs_n.separation.separator.load_engine", lambda model, **_: kit if model == DRUM_KIT else SplitEngine()
    )
    song = noise(2, 2000)  # one segment
    with pytest.raises(Cancelled):
        Separator(drum_kit=True).separate(song, 44100, progress=lambda *_: cancel.set(), cancel=cancel)
    assert not kit.lengths


def test_the_model_of_the_drums_gets_the_same_options(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def load(model: Any, **options: Any) -> SplitEngine:
        asked.append({name: options[name] for name in ("engine", "device", "precision", "segment", "threads")})
        kit = SplitEngine(PART_GAINS)
        kit.sources = PARTS if model == DRUM_KIT else SOURCES
        return kit

    monkeypatch.setattr("htdemucs_n.separation.separator.load_engine", load)
    run: dict[str, Any] = {"engine": "torch", "device": "cpu", "precision": "fp32", "segment": 2.0, "threads": 1}
    separator = Separator(**run, overlap=0.5, shifts=2, seed=3, batch=5, drum_kit=True)
    kit = separator._kit
    assert asked == [run, run]
    assert kit and (kit.overlap, kit.shifts, kit.seed, kit.batch) == (0.5, 2, 3, 5)


@pytest.mark.usefixtures("engines")
def test_the_latency_counts_both_models() -> None:
    """Small blocks: the longest delay is close to `latency`, and not above it."""
    separator, taken, given_out, longest = Separator(drum_kit=True), 0, 0, 0

    def blocks() -> Iterator[NDArray[np.float32]]:
        nonlocal taken, longest
        for _ in range(300):
            longest = max(longest, taken - given_out)
            taken += 100
            yield noise(2, 100)

    for out in separator.stream(blocks(), 44100):
        given_out += out["drums"].shape[1]
    assert 0.8 * separator.latency(44100) < longest <= separator.latency(44100) + 100


def test_the_rest_without_a_part_has_its_name() -> None:
    assert StemChoice((*SOURCES, *part_names(PARTS)), two_stems="drums/kick").names == ("drums/kick", "no_kick")


@pytest.mark.parametrize("part", PARTS)
def test_the_plain_name_of_a_part_suggests_its_whole_one(part: str) -> None:
    for options in ({"two_stems": part}, {"stems": [part]}):
        with pytest.raises(OptionError, match=f"no stem '{part}': did you mean 'drums/{part}'"):
            StemChoice((*SOURCES, *part_names(PARTS)), **options)  # type: ignore[arg-type]
