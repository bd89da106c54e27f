"""Errors of bad input: one clear line that names the file, exit status 1, no file half-written.

All through the command line, around a model with known stems. Input that is odd but legal is in
`tests/separation/test_odd_files.py`.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.io import wavfile

from audio_helpers import SplitEngine, encode, tones, use_engine
from htdemucs_n.cli.main import main
from htdemucs_n.models.names import DEFAULT_MODEL

TONES = tones((440, 660), 44100, 0.25)


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def known_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name loads the model with known stems."""
    use_engine(monkeypatch, SplitEngine())


@pytest.fixture
def separate(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs `htdemucs-n separate <arguments>` in this process; returns its exit status."""

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["htdemucs-n", "separate", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0)

    return run


def missing(path: Path) -> None:
    pass


def folder(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.touch()


def no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros((0, 2)), 44100, format="WAV")


def text(path: Path) -> None:
    path.write_text("Dear diary, this is not music.\n" * 100)


def one_byte(path: Path) -> None:
    path.write_bytes(b"R")


def random_bytes(path: Path) -> None:
    path.write_bytes(b"\x00\x01" + np.random.default_rng(0).bytes(5000))


def header_only(path: Path) -> None:
    soundfile.write(path, TONES.T, 44100, format="WAV")
    path.write_bytes(path.read_bytes()[:30])


def beginning_of_mp3(path: Path) -> None:
    encode(path.with_suffix(".mp3"), TONES, 44100, "libmp3lame")
    path.write_bytes(path.with_suffix(".mp3").read_bytes()[:300])


def cut_m4a(path: Path) -> None:
    """The index of an mp4 file is at its end."""
    encode(path.with_suffix(".m4a"), TONES, 44100, "aac")
    path.write_bytes(path.with_suffix(".m4a").read_bytes()[:2000])


def silent_film(path: Path) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as container:
        picture = container.add_stream("mpeg4", rate=10)
        picture.width = picture.height = 32
        container.mux(picture.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(picture.encode(None))


def playlist(path: Path) -> None:
    """A list of other files is not audio, and must not make us open them."""
    encode(path.with_name("secret.mp3"), TONES, 44100, "libmp3lame")
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nsecret.mp3\n#EXT-X-ENDLIST\n")


def not_finite(value: float) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        samples = TONES.copy()
        samples[1, 100] = value
        soundfile.write(path, samples.T, 44100, format="WAV", subtype="FLOAT")

    return make


@pytest.mark.usefixtures("known_model")
@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("a.wav", missing, "does not exist"),
        ("a.wav", folder, "contains no audio or video file"),
        ("a.wav", empty, "is empty"),
        ("a.wav", no_samples, "contains no audio"),
        ("a.wav", text, "is not an audio file"),
        ("a.raw", text, "is not an audio file"),
        ("a.mp3", text, "is not an audio file"),
        ("a.mp3", one_byte, "is not an audio file"),
        ("a.flac", random_bytes, "is not an audio file"),
        ("a.wav", header_only, "audio"),
        ("cut.mp3", beginning_of_mp3, "audio"),
        ("cut.mp4", cut_m4a, "is not an audio file"),
        ("film.mp4", silent_film, "has no audio stream"),
        ("list.m3u8", playlist, "audio"),
        ("a.wav", not_finite(float("nan")), "NaN or infinite"),
        ("a.wav", not_finite(float("inf")), "NaN or infinite"),
        ('it\'s "ein" песня 歌.wav', text, "is not an audio file"),
    ],
)
def test_a_bad_file_gets_one_line(
    separate: Callable[..., int],
    capfd: pytest.CaptureFixture[str],
    name: str,
    make: Callable[[Path], None],
    says: str,
) -> None:
    try:
        make(Path(name))
    except OSError:
        pytest.skip("this system cannot hold such a name")
    assert separate(name, "-o", "out") == 1
    captured = capfd.readouterr()  # of the process: decoders that print their own warnings would show
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith(f"error: '{name}' ")
    assert says in captured.err
    assert not Path("out").exists()


@pytest.mark.usefixtures("known_model")
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(separate: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("a.wav", TONES.T, 44100)
    Path("a.wav").chmod(0)
    assert separate("a.wav") == 1
    assert "permissions" in capsys.readouterr().err


@pytest.mark.usefixtures("known_model")
def test_a_file_that_the_system_will_not_open(
    separate: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for root, who may read everything."""

    def refuse(self: Path, mode: str = "r") -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    assert separate("a.wav") == 1
    assert capsys.readouterr().err == (
        "error: 'a.wav' cannot be opened (Permission denied): check the name and its permissions\n"
    )


@pytest.mark.usefixtures("known_model")
def test_a_truncated_mp3_gives_its_readable_part(
    separate: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    encode(Path("whole.mp3"), tones((440, 660), 44100, 2.0), 44100, "libmp3lame")
    whole = Path("whole.mp3").read_bytes()
    Path("cut.mp3").write_bytes(whole[: len(whole) // 2])
    assert separate("cut.mp3", "-o", "out") == 0
    assert capfd.readouterr().err == ""
    _, vocals = wavfile.read(Path("out") / DEFAULT_MODEL / "cut" / "vocals.wav")
    assert 0.9 * 44100 < len(vocals) < 1.1 * 44100
    truth = 0.4 * tones((440, 660), 44100, 2.0)[:, 5000:30000].T
    assert np.abs(vocals[5000:30000] / 32768 - truth).max() < 0.05


@pytest.mark.usefixtures("known_model")
def test_an_output_folder_that_is_a_file(separate: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("a.wav", TONES.T, 44100)
    Path("out").write_text("mine")
    assert separate("a.wav", "-o", "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: cannot make the folder 'out")
    assert "choose another output folder" in line
    assert Path("out").read_text() == "mine"


@pytest.mark.usefixtures("known_model")
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_that_cannot_be_written(
    separate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write("a.wav", TONES.T, 44100)
    Path("out").mkdir(mode=0o500)
    assert separate("a.wav", "-o", "out") == 1
    assert "choose another output folder" in capsys.readouterr().err


@pytest.mark.usefixtures("known_model")
def test_a_disk_that_is_full_at_once(
    separate: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stems are written as they come (`clamp`), and not even the folder is left."""
    soundfile.write("a.wav", TONES.T, 44100)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("htdemucs_n.audio.encode_wav.WavEncoder.write", full)
    assert separate("a.wav", "-o", "out", "--clip-mode", "clamp") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.usefixtures("known_model")
def test_a_full_disk(
    separate: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two stems fit, the third does not: what is on the disk is whole, and the third is not there at all."""
    soundfile.write("a.wav", TONES.T, 44100)
    replaced: list[Path] = []
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        replaced.append(target)
        if len(replaced) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    assert separate("a.wav", "-o", "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    target = Path("out") / DEFAULT_MODEL / "a"
    assert line == (
        f"error: cannot write 'bass.wav' in '{target}' (No space left on device): "
        "make room, make the folder writable, or choose another"
    )
    assert {path.name for path in target.iterdir()} == {"other.wav", "vocals.wav"}
    assert all(len(wavfile.read(path)[1]) == 11025 for path in target.iterdir())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("no_such_model", None),
        ("n" * 300, None),
        ("n" * 300 + ".safetensors", None),
        ("missing.safetensors", None),
        ("bad.safetensors", b"not weights"),
        ("bad.safetensors", b""),
    ],
)
def test_an_unknown_model_and_a_bad_checkpoint(
    separate: Callable[..., int], capsys: pytest.CaptureFixture[str], name: str, content: bytes | None
) -> None:
    soundfile.write("a.wav", TONES.T, 44100)
    if content is not None:
        Path(name).write_bytes(content)
    assert separate("a.wav", "-n", name, "-o", "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert name in line
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--device", "toaster"), ("--overlap", "1.5"), ("--segment", "0"), ("--segment", "1e-5"), ("--shifts", "-1")],
)
def test_an_option_out_of_range(
    separate: Callable[..., int], capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    soundfile.write("a.wav", TONES.T, 44100)
    assert separate("a.wav", f"{option}={value}", "-o", "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert option.strip("-") in line
    assert not Path("out").exists()
