"""Many songs and every kind of output through the command, around a model with known stems."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import soundfile
from scipy.io import wavfile

import htdemucs_n
from audio_helpers import GAINS, ON_STAND_IN, SOURCES, SplitEngine, encode, tones, use_engine
from htdemucs_n.audio import read_audio, write_wav
from htdemucs_n.audio.formats import Encoding
from htdemucs_n.audio.tags import Tags, read_tags
from htdemucs_n.audio.write import AudioWriter
from htdemucs_n.cli.main import main
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.models.names import DEFAULT_MODEL
from models_helpers import SplitNetwork

TONES = tones((440, 660), 44100, 0.5)
ROOT = Path("separated") / DEFAULT_MODEL


@pytest.fixture(autouse=True)
def known_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SplitEngine:
    engine = SplitEngine()
    use_engine(monkeypatch, engine)
    monkeypatch.chdir(tmp_path)
    return engine


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "separate", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def song(name: str, samples: np.ndarray = TONES, rate: int = 44100) -> Path:
    write_wav(Path(name), samples, rate)
    return Path(name)


def files(folder: Path) -> set[str]:
    """All that is below a folder but for the hidden records of `separation.claims`."""
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {path.as_posix() for path in found if path.parts[0] != ".htdemucs-n"}


@pytest.mark.parametrize(
    ("name", "tolerance"), [("flac", 1e-4), ("mp3", 0.02), ("ogg", 0.03), ("opus", 0.02), ("m4a", 0.03)]
)
def test_stems_in_a_format_with_the_songs_tags(monkeypatch: pytest.MonkeyPatch, name: str, tolerance: float) -> None:
    with AudioWriter(
        Path("a.flac"), 48000, 2, Encoding("flac", "int16", 0), Tags({"title": "T", "artist": "A"})
    ) as writer:
        writer.write(tones((440, 660), 48000, 0.5))
    assert run(monkeypatch, "a.flac", "--format", name, "--stems", "vocals,bass") == 0
    assert files(ROOT) == {f"a/vocals.{name}", f"a/bass.{name}"}
    stem = read_audio(ROOT / "a" / f"vocals.{name}")
    assert stem.sample_rate == 48000
    inner = slice(3000, 20000)
    assert np.abs(stem.samples[:, inner] - 0.4 * tones((440, 660), 48000, 0.5)[:, inner]).max() < tolerance
    assert read_tags(ROOT / "a" / f"vocals.{name}").values == {"title": "T", "artist": "A"}
    assert run(monkeypatch, "a.flac", "--format", name, "--force", "--no-tags", "--stems", "vocals") == 0
    assert read_tags(ROOT / "a" / f"vocals.{name}").values == {}


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_rate_and_depth_are_the_songs(monkeypatch: pytest.MonkeyPatch, subtype: str) -> None:
    soundfile.write("a.wav", tones((440, 660), 22050).T, 22050, subtype=subtype)
    assert run(monkeypatch, "a.wav") == 0
    info = soundfile.info(str(ROOT / "a" / "bass.wav"))
    assert (info.subtype, info.samplerate, info.frames) == (subtype, 22050, 11025)


def test_another_rate_and_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    song("a.wav")
    assert run(monkeypatch, "a.wav", "--rate", "48000", "--depth", "int24") == 0
    info = soundfile.info(str(ROOT / "a" / "bass.wav"))
    assert (info.subtype, info.samplerate, info.frames) == ("PCM_24", 48000, 24000)
    samples, _ = soundfile.read(ROOT / "a" / "bass.wav")
    assert np.abs(samples.T - 0.2 * tones((440, 660), 48000, 0.5))[:, 1000:-1000].max() < 1e-3


def test_a_rate_that_the_format_has_not(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    song("a.wav", tones((440,), 96000), 96000)
    assert run(monkeypatch, "a.wav", "--format", "mp3") == 0
    assert "mp3 cannot hold its sample rate: the stems are at 48000 Hz" in capsys.readouterr().out


@pytest.mark.parametrize("method", ["add", "minus", "none"])
def test_two_stems(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    song("a.wav")
    assert (
        run(monkeypatch, "a.wav", "--two-stems", "vocals", "--other-method", method, "--filename", "{stem}.{ext}") == 0
    )
    expected = {"vocals.wav": 0.4, "no_vocals.wav": 0.6} if method != "none" else {"vocals.wav": 0.4}
    assert files(Path("separated")) == set(expected)
    for name, gain in expected.items():
        _, samples = wavfile.read(Path("separated") / name)
        assert np.abs(samples.T / 32768 - gain * TONES).max() < 1e-3


@pytest.mark.parametrize("mode", ["rescale", "clamp", "limit", "none"])
def test_clip_modes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mode: str) -> None:
    write_wav(Path("a.wav"), 10 * TONES, 44100, float32=True)  # vocals peak at 2
    assert run(monkeypatch, "a.wav", "--clip-mode", mode) == 0  # float32, as the song is
    _, samples = wavfile.read(ROOT / "a" / "vocals.wav")
    peak = float(np.abs(samples).max())
    assert peak == pytest.approx(2.0 if mode == "none" else 1.0, abs=2e-2)
    note = {
        "rescale": "scaled by 0.5",
        "clamp": "was clipped, so the stems do not add up",
        "limit": "reduced around its peaks",
        "none": "",
    }[mode]
    assert note in (out := capsys.readouterr().out)
    assert ("note" in out) == (mode != "none")


def test_folders_with_their_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    song("m/a.wav")
    song("m/x/a.wav")
    Path("m/cover.jpg").touch()
    assert run(monkeypatch, "m", "--stems", "bass") == 0
    assert files(ROOT) == {"a/bass.wav", "x/a/bass.wav"}


def test_songs_of_one_name_say_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    song("x/a.wav")
    song("y/a.wav")
    assert run(monkeypatch, "x/a.wav", "y/a.wav") == 0
    assert {path.name for path in ROOT.iterdir()} == {"a", "a-2"}
    assert "another song has the same name" in capsys.readouterr().out


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_json_for_every_song(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], jobs: str) -> None:
    song("a.wav")
    song("b.wav")
    assert run(monkeypatch, "b.wav") == 0
    capsys.readouterr()
    assert run(monkeypatch, "a.wav", "missing.wav", "b.wav", "--json", "-j", jobs) == 1
    captured = capsys.readouterr()
    entries = {entry["track"]: entry for entry in map(json.loads, captured.out.splitlines())}
    assert {track: entry["status"] for track, entry in entries.items()} == {
        "a.wav": "separated", "missing.wav": "failed", "b.wav": "kept"
    }  # fmt: skip
    assert entries["a.wav"]["stems"] == {name: str(ROOT / "a" / f"{name}.wav") for name in SOURCES}
    assert entries["a.wav"]["seconds"] == 0.5 and entries["a.wav"]["real_time_factor"] > 0
    assert "does not exist" in entries["missing.wav"]["error"]
    assert "1 of 3 tracks failed" in captured.err


def test_several_songs_at_once_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(6):
        song(f"{n}.wav", tones((200 + 100 * n, 300), 44100, 0.2 + 0.1 * n))
    names = [f"{n}.wav" for n in range(6)]
    assert run(monkeypatch, *names, "-o", "one") == 0
    assert run(monkeypatch, *names, "-o", "many", "-j", "4") == 0
    assert files(Path("one")) == files(Path("many")) and len(files(Path("one"))) == 24
    for name in files(Path("one")):
        assert (Path("one") / name).read_bytes() == (Path("many") / name).read_bytes()


@pytest.mark.parametrize("suffix", ["wav", "mp3", "flac"])
def test_what_is_lost_of_a_truncated_song_is_stated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    samples = tones((440, 660), 44100, 4.0)
    with AudioWriter(
        Path(f"a.{suffix}"), 44100, 2, Encoding(suffix, "int16" if suffix != "mp3" else "lossy", 128)
    ) as writer:
        writer.write(samples)
    data = Path(f"a.{suffix}").read_bytes()
    Path(f"a.{suffix}").write_bytes(data[: len(data) // 2])
    assert run(monkeypatch, f"a.{suffix}", "--depth", "int16") == 0
    assert (
        "note: the file is cut short: the first " in (out := capsys.readouterr().out)
        and " s of 4.0 s could be read" in out
    )
    _, vocals = wavfile.read(ROOT / "a" / "vocals.wav")
    assert 1.5 < len(vocals) / 44100 < 2.5
    assert np.abs(vocals.T[:, 5000:40000] / 32768 - 0.4 * samples[:, 5000:40000]).max() < 0.03


def test_a_song_that_grows_is_read_as_it_was(monkeypatch: pytest.MonkeyPatch, known_model: SplitEngine) -> None:
    encode(Path("a.mp3"), tones((440, 660), 44100, 1.0), 44100, "libmp3lame")
    length = read_audio("a.mp3").samples.shape[1]
    more = Path("a.mp3").read_bytes()

    def grow() -> None:
        with Path("a.mp3").open("ab") as file:
            file.write(more)

    known_model.before = grow
    assert run(monkeypatch, "a.mp3", "--stems", "bass") == 0
    assert soundfile.info(str(ROOT / "a" / "bass.wav")).frames == length


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_song_that_vanishes_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch, known_model: SplitEngine) -> None:
    song("a.wav", tones((440, 660), 44100, 5.0))
    known_model.before = lambda: Path("a.wav").unlink(missing_ok=True)
    assert run(monkeypatch, "a.wav", "--stems", "bass") == 0
    assert soundfile.info(str(ROOT / "a" / "bass.wav")).frames == 5 * 44100


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself a signal")
def test_ctrl_c_among_several_leaves_no_partial_file(monkeypatch: pytest.MonkeyPatch, known_model: SplitEngine) -> None:
    for n in range(4):
        song(f"{n}.wav", tones((440, 660), 44100, 3.0))
    began = threading.Event()

    def slow() -> None:
        began.set()
        time.sleep(0.05)

    known_model.before = slow

    def interrupt() -> None:
        began.wait()
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    # A process that a shell started in the background ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    start = time.monotonic()
    try:
        assert run(monkeypatch, *[f"{n}.wav" for n in range(4)], "-j", "2") == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - start < 20
    assert files(Path("separated")) == set()


def test_nothing_is_left_of_a_song_that_fails_late(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = tones((440, 660), 44100, 3.0)
    samples[0, -10] = np.nan
    soundfile.write("a.wav", samples.T, 44100, subtype="FLOAT")
    assert run(monkeypatch, "a.wav") == 1
    assert files(Path("separated")) == set()


def test_from_standard_input_to_standard_output(tmp_path: Path) -> None:
    song("a.wav")
    code = f"{ON_STAND_IN}sys.argv = ['htdemucs-n', 'separate', '-', '-o', '-', '--stems', 'vocals']\nmain()\n"
    done = subprocess.run(
        [sys.executable, "-c", code], input=Path("a.wav").read_bytes(), capture_output=True, check=True
    )
    header = done.stdout.index(b"data") + 8
    samples = np.frombuffer(done.stdout[header:], "<i2").reshape(-1, 2).T / 32768
    assert samples.shape == TONES.shape
    assert np.abs(samples - GAINS[3] * TONES).max() < 1e-3
    assert b"standard output" in done.stderr


def test_a_folder_in_the_place_of_a_stem_is_no_stem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    song("a.wav")
    place = Path("out") / DEFAULT_MODEL / "a" / "drums.wav"
    place.mkdir(parents=True)
    assert run(monkeypatch, "a.wav", "-o", "out") == 1
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert "cannot write" in line and place.name in line and str(place.parent) in line


def test_all_parts_of_a_joined_ogg_file_are_read_from_standard_input() -> None:
    """A second of a mono tone at 22.05 kHz, then one in stereo at 44.1 kHz: two seconds in stereo at 44.1 kHz."""
    soundfile.write("a.ogg", tones((440,), 22050, 1.0).T, 22050)
    soundfile.write("b.ogg", tones((440, 660), 44100, 1.0).T, 44100)
    code = f"{ON_STAND_IN}sys.argv = ['htdemucs-n', 'separate', '-', '-o', 'out']\nmain()\n"
    joined = Path("a.ogg").read_bytes() + Path("b.ogg").read_bytes()
    done = subprocess.run([sys.executable, "-c", code], input=joined, capture_output=True, check=True)
    assert b"note" not in done.stderr
    stem = next(Path("out").rglob("vocals.wav"))
    assert (soundfile.info(stem).frames, soundfile.info(stem).samplerate, soundfile.info(stem).channels) == (
        88200,
        44100,
        2,
    )


def test_standard_input_is_read_like_a_file() -> None:
    """A WAV behind an ID3 tag, which FFmpeg refuses."""
    tagged = b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + song("a.wav").read_bytes()
    code = f"{ON_STAND_IN}sys.argv = ['htdemucs-n', 'separate', '-', '-o', 'out']\nmain()\n"
    done = subprocess.run([sys.executable, "-c", code], input=tagged, capture_output=True, check=True)
    assert b"note" not in done.stderr
    samples, _ = soundfile.read(next(Path("out").rglob("vocals.wav")))
    assert np.abs(samples.T - GAINS[3] * TONES).max() < 1e-3


def test_a_wav_without_samples_is_refused_from_standard_input() -> None:
    """Its other chunks are not read as samples."""
    soundfile.write("a.wav", np.zeros((0, 2)), 44100)
    code = f"{ON_STAND_IN}sys.argv = ['htdemucs-n', 'separate', '-', '-o', 'out']\nmain()\n"
    for chunk in (b"LIST\x04\0\0\0INFO", b"abcd\x04\0\0\0efgh", b""):
        data = Path("a.wav").read_bytes() + chunk
        done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(b"error: 'standard input' contains no audio") and done.stderr.count(b"\n") == 1
        assert not Path("out").exists()


def test_several_stems_do_not_fit_into_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    song("a.wav")
    assert run(monkeypatch, "a.wav", "-o", "-") == 2
    assert "one song and one stem" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--format", "wma"], "unknown format"), (["--stems", "drumz"], "did you mean 'drums'"),
        (["--filename", "{x}/{stem}"], "unknown field"), (["--precision", "int8"], "unknown precision"),
        (["--clip-mode", "soft"], "unknown clip mode"), (["--weights", "a"], "--weights a"),
        (["--weights", "1,2"], "weights are"), (["--rate", "5"], "sample rate 5"), (["-d", "toaster"], "toaster"),
        (["-n", ","], "--name ','"), (["-n", ""], "--name ''"), (["--engine", "torhc"], "did you mean 'torch'"),
    ],
)  # fmt: skip
def test_options_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    song("a.wav")
    monkeypatch.setattr("htdemucs_n.separation.separator.load_engine", load_engine)
    assert run(monkeypatch, "a.wav", *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and says in line
    assert not Path("separated").exists()


def test_several_models_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    song("a.wav")
    models = {"x.pt": SplitNetwork((1, 0, 0, 0)), "y.pt": SplitNetwork((0, 1, 0, 0))}
    monkeypatch.setattr("htdemucs_n.models.registry.load_model", lambda name, *_: models[name])
    monkeypatch.setattr("htdemucs_n.separation.separator.load_engine", load_engine)
    options = ["--engine", "torch", "-n", "x.pt,y.pt", "--weights", "3,1", "--filename", "{model}/{stem}.{ext}"]
    assert run(monkeypatch, "a.wav", *options) == 0
    for name, gain in {"drums": 0.75, "bass": 0.25, "other": 0.0}.items():
        _, samples = wavfile.read(Path("separated") / "x+y" / f"{name}.wav")
        assert np.abs(samples.T / 32768 - gain * TONES).max() < 1e-3


def test_memory_that_runs_out_suggests_a_smaller_segment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise MemoryError

    song("a.wav")
    use_engine(monkeypatch, SplitEngine(before=full))
    assert run(monkeypatch, "a.wav") == 1
    assert "use a smaller segment" in capsys.readouterr().err


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("separation.track.resample_blocks", " to separate 'a.wav'"),
        ("separation.track.clip_blocks", " to separate 'a.wav'"),
        ("separation.inputs.find_tracks", ""),
    ],
)
def test_memory_that_runs_out_outside_the_model_is_one_line(
    place: str, what: str, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    song("a.wav")
    monkeypatch.setattr(f"htdemucs_n.{place}", mock.Mock(side_effect=error))
    assert run(monkeypatch, "a.wav") == 1
    mend = "end other programs, or use a shorter segment, such as 2 s"
    assert capsys.readouterr().err == f"error: not enough memory{what}: {mend}\n"
    assert not files(Path("separated"))


def test_the_list_of_models(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "models", "--json"])
    with pytest.raises(SystemExit):
        main()
    shipped = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["shipped"]}
    entry = shipped[DEFAULT_MODEL]
    assert entry["sources"] == list(SOURCES) and entry["mib"] > 1 and entry["parameters"] > 1e6
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "models"])
    with pytest.raises(SystemExit):
        main()
    assert f"{DEFAULT_MODEL} (default)" in (out := capsys.readouterr().out) and "htdemucs_ft" in out
    assert "The SDR of drumkit is of other stems and other recordings than that of bands" in out


def test_a_stem_never_replaces_a_song_of_the_batch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own song or another one, by whatever name it is reached, and with --force too."""
    song("drums.wav")
    Path("link.wav").symlink_to("drums.wav")
    before = Path("drums.wav").read_bytes()
    for source in ("drums.wav", "link.wav"):
        for force in ([], ["--force"]):
            assert run(monkeypatch, source, "-o", ".", "--filename", "{stem}.{ext}", *force) == 1
            assert "would be replaced by the drums" in capsys.readouterr().err
    song("a.wav")
    song("a-bass.wav")
    assert run(monkeypatch, "a.wav", "a-bass.wav", "-o", ".", "--filename", "{track}-{stem}.{ext}", "--force") == 1
    assert "'a-bass.wav' would be replaced by the bass of 'a.wav'" in capsys.readouterr().err
    assert Path("drums.wav").read_bytes() == Path("a-bass.wav").read_bytes() == before


def test_stems_of_another_song_are_not_taken_for_this_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same name in two folders and two commands: the stems stay the first song's, with a note."""
    song("x/a.wav")
    song("y/a.wav", TONES / 2)
    assert run(monkeypatch, "x/a.wav") == 0
    first = (ROOT / "a/bass.wav").read_bytes()
    capsys.readouterr()
    assert run(monkeypatch, "x/a.wav") == 0
    assert "note" not in capsys.readouterr().out
    Path("moved.wav").symlink_to("x/a.wav")
    Path("z").mkdir()
    Path("x/a.wav").rename("z/a.wav")
    assert run(monkeypatch, "z/a.wav") == 0
    assert "note" not in capsys.readouterr().out, "a song that was moved is the same song"
    (ROOT / "a/drums.wav").unlink()
    for quiet in ([], ["--skip-existing"]):
        assert run(monkeypatch, "y/a.wav", *quiet) == 0
        out = capsys.readouterr().out
        assert "belong to another song, 'a.wav': --force replaces them" in out
        assert (ROOT / "a/bass.wav").read_bytes() == first and not (ROOT / "a/drums.wav").exists()
    assert run(monkeypatch, "y/a.wav", "--force") == 0
    assert (ROOT / "a/bass.wav").read_bytes() != first
    capsys.readouterr()
    assert run(monkeypatch, "y/a.wav") == 0
    assert "note" not in capsys.readouterr().out


def test_stems_that_nothing_is_known_of_are_kept_with_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    song("a.wav")
    (ROOT / "a").mkdir(parents=True)
    for name in SOURCES:
        (ROOT / f"a/{name}.wav").write_bytes(b"mine")
    assert run(monkeypatch, "a.wav") == 0
    assert "note: it is not known which song the existing stems belong to" in capsys.readouterr().out
    assert (ROOT / "a/bass.wav").read_bytes() == b"mine"
    (ROOT / "a/drums.wav").unlink()
    assert run(monkeypatch, "a.wav") == 0
    assert "note: it is not known which song the existing stems belong to" in capsys.readouterr().out, (
        "three of four are unknown"
    )


def test_it_is_known_of_each_stem_which_song_it_is_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another choice of stems is not completed with the stems of another song, and finds those of its own."""
    song("x/a.wav")
    song("y/a.wav", TONES / 2)
    assert run(monkeypatch, "x/a.wav") == 0
    capsys.readouterr()
    assert run(monkeypatch, "y/a.wav", "--two-stems", "vocals") == 0
    assert "belong to another song, 'a.wav': --force replaces them" in capsys.readouterr().out
    assert not (ROOT / "a/no_vocals.wav").exists()
    assert run(monkeypatch, "x/a.wav", "--stems", "bass") == 0
    assert "note" not in capsys.readouterr().out


def test_a_song_that_another_process_separates_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], known_model: SplitEngine
) -> None:
    """The claim is another process's; when that is killed, the song is free."""
    song("a.wav")
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom htdemucs_n.separation.claims import SongRecord\n"
        "out = Path('separated')\n"
        f"files = [out / '{DEFAULT_MODEL}/a' / (name + '.wav') for name in {SOURCES!r}]\n"
        "with SongRecord(out, files).claimed() as mine:\n    print(mine, flush=True)\n    time.sleep(60)\n"
    )
    source = str(Path(htdemucs_n.__file__).parents[1])
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": source}
    )
    assert other.stdout is not None and other.stdout.readline().strip() == b"True"
    try:
        assert run(monkeypatch, "a.wav") == 0
        assert "another process is separating it" in capsys.readouterr().out
        assert not known_model.lengths and not files(Path("separated"))
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    assert run(monkeypatch, "a.wav") == 0
    assert len(files(Path("separated"))) == 4
    assert not list(Path("separated").rglob("*.lock"))


@pytest.mark.skipif(sys.platform == "win32", reason="names are text there")
def test_names_that_are_not_utf_8(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Both songs are separated, and the JSON output names them."""
    song("b.wav")
    os.link(b"b.wav", b"caf\xe9.wav")
    assert run(monkeypatch, ".", "--json") == 0
    assert files(ROOT) == {f"{name}/{stem}.wav" for name in ("b", "caf\ufffd") for stem in SOURCES}
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("when", ["opened", "written"])
def test_no_room_for_the_temporary_file_costs_one_line_a_song(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, when: str
) -> None:
    """In the default clip mode; the batch goes on to its end."""

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(number, os.strerror(number))

    def opened(dir: object = None) -> Full:
        if when == "opened":
            raise OSError(number, os.strerror(number))
        return Full()

    song("a.wav")
    song("b.wav")
    monkeypatch.setattr("htdemucs_n.separation.clipping.tempfile.TemporaryFile", opened)
    assert run(monkeypatch, "a.wav", "b.wav") == 1
    first, second, total = capsys.readouterr().err.splitlines()
    assert "cannot write a temporary file in " in first and f" ({os.strerror(number)}): make room, " in first
    assert first.endswith(", or choose another")  # another clip mode would not help
    assert second.startswith("error: ") and total == "2 of 2 tracks failed"
    assert not Path("separated").exists()


def test_an_output_folder_that_cannot_be_written_costs_one_line_a_song(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(self: Path, *args: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    song("a.wav")
    song("b.wav")
    monkeypatch.setattr(Path, "mkdir", refused)
    assert run(monkeypatch, "a.wav", "b.wav") == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3 and all("Read-only file system" in line for line in errors[:2])


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("s3://bucket/a.wav", "'s3://bucket/a.wav': URLs are not read"),
        ("file:///home/a.mp3", "'file:///home/a.mp3': URLs are not read"),
        ("x" * 300 + ".wav", "File name too long"),
        (".", "is the output folder"),
    ],
)
def test_paths_that_are_no_songs_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str, says: str
) -> None:
    song("a.wav")
    assert run(monkeypatch, path, "-o", ".") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and says in line


def test_a_url_for_the_output_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    song("a.wav")
    assert run(monkeypatch, "a.wav", "-o", "s3://bucket/stems") == 2
    assert capsys.readouterr().err.startswith("error: --out s3://bucket/stems: stems are written to a folder")
    assert files(Path()) == {"a.wav"}


@pytest.mark.parametrize("name", ["MP3", "Flac", "WAV"])
def test_formats_in_any_case(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    song("a.wav")
    assert run(monkeypatch, "a.wav", "--format", name) == 0
    assert files(ROOT) == {f"a/{stem}.{name.lower()}" for stem in SOURCES}
