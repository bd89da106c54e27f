"""The command line: files in their documented places, notes, exit statuses, around a model with known stems."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.io import wavfile

import htdemucs_n
from audio_helpers import GAINS, ON_STAND_IN, SOURCES, SplitEngine, tones, use_engine
from htdemucs_n.audio import write_wav
from htdemucs_n.cli.main import main
from htdemucs_n.models.names import DEFAULT_MODEL

TONES = tones((440, 660), 44100, 0.25)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """Run the command in this process; returns its exit status."""
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.fixture(autouse=True)
def known_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SplitEngine:
    """Every name loads the known model; the working folder is an empty one."""
    engine = SplitEngine()
    use_engine(monkeypatch, engine)
    monkeypatch.chdir(tmp_path)
    return engine


def song(name: str, samples: np.ndarray = TONES, rate: int = 44100, float32: bool = False) -> Path:
    write_wav(Path(name), samples, rate, float32)
    return Path(name)


def stem(path: Path) -> np.ndarray:
    """Samples `(C, T)` of a 16-bit file."""
    _, samples = wavfile.read(path)
    assert samples.dtype == np.int16
    return np.asarray(samples.T / 32768)


def files(folder: Path) -> set[str]:
    """All that is below a folder but for the hidden records of `separation.claims`."""
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {path.as_posix() for path in found if path.parts[0] != ".htdemucs-n"}


def test_four_stems_in_their_places(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    song("My song.wav")
    assert run(monkeypatch, "separate", "My song.wav") == 0
    folder = Path("separated") / DEFAULT_MODEL / "My song"
    assert files(Path("separated")) == {f"{DEFAULT_MODEL}/My song/{name}.wav" for name in SOURCES}
    for name, gain in zip(SOURCES, GAINS, strict=True):
        assert np.abs(stem(folder / f"{name}.wav") - gain * TONES).max() < 1 / 32768
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"My song.wav -> {re.escape(str(folder))} \(0:00.2 in [\d.]+ s, [\d.]+ x real time\)", line)


def test_options_reach_their_places(
    monkeypatch: pytest.MonkeyPatch, known_model: SplitEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    """0.25 s in segments of 0.1 s, half shared, two runs: segments of 4,410 samples, 4 or more a run."""
    song("a.wav", 3 * TONES, float32=True)
    loaded: list[tuple[object, dict[str, object]]] = []

    def load(model: object, **options: object) -> SplitEngine:
        loaded.append((model, options))
        return known_model

    monkeypatch.setattr("htdemucs_n.separation.separator.load_engine", load)
    options = [
        "-o",
        "out",
        "-n",
        "some/model.safetensors",
        "--engine",
        "torch",
        "-d",
        "cpu",
        "--precision",
        "fp32",
        "--segment",
        "0.1",
        "--overlap",
        "0.5",
    ]
    assert run(monkeypatch, "separate", "a.wav", *options, "--shifts", "2", "--threads", "3") == 0
    (entry,) = loaded
    assert entry == (
        ["some/model.safetensors"],
        {
            "engine": "torch",
            "device": "cpu",
            "precision": "fp32",
            "segment": 0.1,
            "weights": None,
            "trusted": False,
            "threads": 3,
        },
    )
    assert set(known_model.lengths) == {4410}
    assert len(known_model.lengths) >= 6  # silent segments are left out
    assert files(Path("out")) == {f"model/a/{name}.wav" for name in SOURCES}
    _, vocals = wavfile.read("out/model/a/vocals.wav")
    assert vocals.dtype == np.float32
    assert np.abs(vocals.T - 0.4 * 3 * TONES).max() < 1e-3
    assert "note" not in capsys.readouterr().out


@pytest.mark.parametrize(("given", "rest"), [("vocals", "no_vocals"), ("instrumental", "instrumental")])
def test_two_stems(given: str, rest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    song("a.wav")
    assert run(monkeypatch, "separate", "a.wav", "--two-stems", given) == 0
    folder = Path("separated") / DEFAULT_MODEL / "a"
    assert files(folder) == {"vocals.wav", f"{rest}.wav"}
    assert np.abs(stem(folder / "vocals.wav") - 0.4 * TONES).max() < 1 / 32768
    assert np.abs(stem(folder / f"{rest}.wav") - 0.6 * TONES).max() < 1 / 32768


@pytest.mark.parametrize(
    "arguments",
    [
        ("My song.wav",), ("album",), ("./album",), ("--format", "wav", "album"), ("-o", "separated", "My song.wav"),
        ("--two-stems=vocals", "My song.wav"),
    ],
)  # fmt: skip
def test_without_a_verb_a_song_is_separated(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    song("My song.wav")
    song("album/one.wav")
    assert run(monkeypatch, *arguments) == 0
    found = files(Path("separated") / DEFAULT_MODEL)
    stems = {"vocals", "no_vocals"} if "two" in arguments[0] else set(SOURCES)
    name = "one" if any("album" in word for word in arguments) else "My song"
    assert found == {f"{name}/{stem}.wav" for stem in stems}


def test_a_pipe_is_separated_without_a_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    with song("a.wav").open() as piped:
        monkeypatch.setattr("sys.stdin", piped)
        assert run(monkeypatch, "-") == 0
    assert len(files(Path("separated"))) == len(SOURCES)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("seperate", "Did you mean 'separate'"), ("x" * 300, "No such command"), ("--nonsense", "--nonsense"),
        ("missing.wav", "missing.wav"),
    ],
)  # fmt: skip
def test_a_misspelt_verb_is_no_song(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str, says: str
) -> None:
    assert run(monkeypatch, word, *(["song.wav"] if word != "missing.wav" else [])) != 0
    assert says in capsys.readouterr().err
    assert not Path("separated").exists()


@pytest.mark.parametrize("verb", [(), ("separate",), ("data", "check")])
def test_short_option_for_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: tuple[str, ...]
) -> None:
    assert run(monkeypatch, *verb, "-h") == 0
    short = capsys.readouterr().out
    assert run(monkeypatch, *verb, "--help") == 0
    assert short == capsys.readouterr().out and short.startswith("Usage: ")


@pytest.mark.parametrize("option", ["--mp3", "--flac"])
def test_format_by_its_own_option(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    song("a.wav")
    suffix = option.removeprefix("--")
    assert run(monkeypatch, "separate", "a.wav", option, "--stems", "bass") == 0
    assert files(Path("separated")) == {f"{DEFAULT_MODEL}/a/bass.{suffix}"}
    assert run(monkeypatch, "separate", "a.wav", option, "--format", suffix.upper(), "--stems", "drums") == 0


@pytest.mark.parametrize("others", [("--flac",), ("--format", "wav")])
def test_two_formats(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], others: tuple[str, ...]
) -> None:
    song("a.wav")
    assert run(monkeypatch, "separate", "a.wav", "--mp3", *others) == 2
    assert "exclude each other" in capsys.readouterr().err
    assert not Path("separated").exists()


@pytest.mark.parametrize("channels", [1, 2])
def test_a_stem_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], channels: int) -> None:
    song("in/a.wav", TONES[:channels])
    arguments = ("separate", "in", "--format", "stem.mp4", "--depth", "int24", "-o", "out")
    assert run(monkeypatch, *arguments) == 0
    assert files(Path("out")) == {f"{DEFAULT_MODEL}/a.stem.mp4"}
    assert capsys.readouterr().out.startswith(f"in/a.wav -> out/{DEFAULT_MODEL}/a.stem.mp4 (")
    with av.open(f"out/{DEFAULT_MODEL}/a.stem.mp4") as container:
        assert len(container.streams.audio) == 5
    for track, gain in enumerate((1.0, *GAINS)):
        with av.open(f"out/{DEFAULT_MODEL}/a.stem.mp4") as container:
            frames = [frame.to_ndarray() for frame in container.decode(audio=track)]
        samples = np.concatenate(frames, axis=1) / 2**31
        assert samples.shape == (2, TONES.shape[1])
        assert np.abs(samples - gain * TONES[:channels]).max() < 2**-15
    assert run(monkeypatch, *arguments) == 0
    assert "its stems exist and are kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--stems", "drums,bass"), "the format stem.mp4 holds drums, bass, other, vocals, but the options choose"),
        (("--two-stems", "vocals"), "but the options choose vocals, no_vocals: choose another format"),
        (("-o", "-"), "the format stem.mp4 is finished at its beginning: give a folder"),
    ],
)
def test_what_a_stem_file_cannot_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], says: str
) -> None:
    song("a.wav")
    assert run(monkeypatch, "separate", "a.wav", "--format", "stem.mp4", *options) != 0
    assert says in capsys.readouterr().err
    assert not Path("separated").exists()


def test_a_stem_file_of_other_stems(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], known_model: SplitEngine
) -> None:
    song("a.wav")
    known_model.sources = ("drums", "bass", "piano", "vocals")
    assert run(monkeypatch, "separate", "a.wav", "--format", "stem.mp4") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("but the model separates drums, bass, piano, vocals: choose another format")


def test_two_stems_of_an_unknown_stem(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    song("a.wav")
    assert run(monkeypatch, "separate", "a.wav", "--two-stems", "kazoo") == 2
    assert "error: the model has no stem 'kazoo': known: drums, bass, other, vocals" in capsys.readouterr().err
    assert not Path("separated").exists()


def test_a_loud_song_is_scaled_as_a_whole_with_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    song("a.wav", 10 * TONES, float32=True)  # vocals peak at 0.4 * 10 * 0.5 = 2
    assert run(monkeypatch, "separate", "a.wav", "--depth", "int16") == 0
    assert "scaled by 0.500" in capsys.readouterr().out
    for name, gain in zip(SOURCES, GAINS, strict=True):
        samples = stem(Path("separated") / DEFAULT_MODEL / "a" / f"{name}.wav")
        assert np.abs(samples - 5 * gain * TONES).max() < 2 / 32768 + 1e-3


def test_a_note_says_that_5_1_is_mixed_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    song("a.wav", tones((200, 400, 600, 800, 1000, 1200), 44100, 0.25))
    assert run(monkeypatch, "separate", "a.wav") == 0
    assert "6 channels were mixed down to stereo" in capsys.readouterr().out
    assert stem(Path("separated") / DEFAULT_MODEL / "a" / "drums.wav").shape == (2, 11025)


def test_one_bad_track_does_not_stop_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    song("a.wav")
    song("z.wav")
    Path("text.wav").write_text("not music")
    assert run(monkeypatch, "separate", "a.wav", "missing.wav", "text.wav", "z.wav") == 1
    assert {path.split("/")[1] for path in files(Path("separated"))} == {"a", "z"}
    captured = capsys.readouterr()
    errors = captured.err.splitlines()
    assert [line.startswith("error: ") for line in errors] == [True, True, False]
    assert "missing.wav" in errors[0]
    assert "text.wav" in errors[1]
    assert errors[2] == "2 of 4 tracks failed"
    assert len(captured.out.splitlines()) == 2


def test_tracks_of_one_name_get_folders_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    song("x/Song.wav")
    song("y/song.wav", TONES / 2)
    song("y/song-2.wav", TONES / 4)
    assert run(monkeypatch, "separate", "x/Song.wav", "y/song.wav", "y/song-2.wav", "-o", "out") == 0
    root = Path("out") / DEFAULT_MODEL
    assert {path.name for path in root.iterdir()} == {"Song", "song-2", "song-2-2"}
    for folder, level in {"Song": 1, "song-2": 0.5, "song-2-2": 0.25}.items():
        assert np.abs(stem(root / folder / "vocals.wav") - 0.4 * level * TONES).max() < 1 / 32768


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows cannot hold")
@pytest.mark.parametrize(
    ("name", "folder"),
    [("...wav", "_"), ("....wav", "_"), (". .wav", "_"), ("Wait....wav", "Wait"), ("歌 'x'.wav", "歌 'x'")],
)
def test_folders_stay_inside_the_output(monkeypatch: pytest.MonkeyPatch, name: str, folder: str) -> None:
    song("in/plain.wav").rename(f"in/{name}")
    assert run(monkeypatch, "separate", f"in/{name}", "-o", "out", "--two-stems", "bass") == 0
    assert files(Path("out")) == {f"{DEFAULT_MODEL}/{folder}/{stem}.wav" for stem in ("bass", "no_bass")}


def test_stems_that_are_there_are_kept_unless_forced(
    monkeypatch: pytest.MonkeyPatch, known_model: SplitEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    song("a.wav")
    song("b.wav")
    folder = Path("separated") / DEFAULT_MODEL / "a"
    assert run(monkeypatch, "separate", "a.wav") == 0
    true = (folder / "bass.wav").read_bytes()
    (folder / "bass.wav").write_bytes(b"mine")
    capsys.readouterr()

    assert run(monkeypatch, "separate", "a.wav", "b.wav") == 0  # goes on with b
    assert (folder / "bass.wav").read_bytes() == b"mine"
    assert len(files(Path("separated"))) == 8
    assert "a.wav -> " in (out := capsys.readouterr().out) and "are kept (--force replaces them)" in out

    calls = len(known_model.lengths)
    assert run(monkeypatch, "separate", "a.wav", "b.wav", "--skip-existing") == 0
    assert len(known_model.lengths) == calls
    assert capsys.readouterr().out == "the stems of 2 of 2 songs existed already\n"

    (folder / "drums.wav").unlink()  # one is missing: it alone is written
    assert run(monkeypatch, "separate", "a.wav") == 0
    assert (folder / "drums.wav").exists() and (folder / "bass.wav").read_bytes() == b"mine"

    assert run(monkeypatch, "separate", "a.wav", "--force") == 0
    assert (folder / "bass.wav").read_bytes() == true


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, known_model: SplitEngine) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    song("a.wav")
    known_model.before = interrupt
    assert run(monkeypatch, "separate", "a.wav") == 130
    assert not files(Path("separated"))


def test_version_and_wrong_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"htdemucs-n {htdemucs_n.__version__}\n"
    assert run(monkeypatch, "separate") == 2
    assert run(monkeypatch, "separate", "a.wav", "--no-such-option") == 2
    assert run(monkeypatch, "separate", "a.wav", "--threads", "100000") == 2
    assert run(monkeypatch, "separate", "a.wav", "--stems", "") == 2, "an empty variable of the shell is not all stems"


def test_help_loads_neither_torch_nor_decoders() -> None:
    code = (
        "import sys\n"
        "from htdemucs_n.cli.main import main\n"
        "sys.argv = ['htdemucs-n', '--help']\n"
        "try:\n    main()\n"
        "finally:\n    print({'torch', 'av', 'soundfile'} & set(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "separate" in done.stdout
    assert done.stderr.strip() == "set()"


def test_a_whole_separation_loads_no_training_stack() -> None:
    song("a.wav")
    code = (
        f"{ON_STAND_IN}"
        "sys.argv = ['htdemucs-n', 'separate', 'a.wav']\n"
        "heavy = {'hydra', 'omegaconf', 'tensorboard', 'museval', 'matplotlib'}\n"
        "try:\n    main()\n"
        "finally:\n    print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith("a.wav -> ")
    assert done.stdout.splitlines()[-1] == "[]"
