"""Files out: read back by other libraries, the same bytes each time, whole or not at all."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import wavfile

from htdemucs_n.audio import make_folder, write_wav
from htdemucs_n.audio.formats import Encoding
from htdemucs_n.audio.write import AudioWriter
from htdemucs_n.errors import UserError


def noise(channels: int = 2, length: int = 1000) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-1, 1, (channels, length)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2])
def test_16_bit_file_read_by_the_standard_library(tmp_path: Path, channels: int) -> None:
    samples = noise(channels)
    write_wav(tmp_path / "a.wav", samples, 48000)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (channels, 2, 48000)
        assert file.getnframes() == 1000
        integers = np.frombuffer(file.readframes(1000), "<i2").reshape(-1, channels).T
    assert np.abs(integers / 32768 - samples).max() <= 0.5 / 32768 + 1e-7


def test_16_bit_integers_are_kept_and_full_scale_is_clipped(tmp_path: Path) -> None:
    samples = np.array([[-32768, -1, 0, 1, 32767, 32768, 40000, -40000]], dtype=np.float32)
    samples /= 32768
    write_wav(tmp_path / "a.wav", samples, 44100)
    _, written = wavfile.read(tmp_path / "a.wav")
    assert written.tolist() == [-32768, -1, 0, 1, 32767, 32767, 32767, -32768]


def test_float_file_read_by_scipy_is_exact(tmp_path: Path) -> None:
    samples = 3 * noise()
    write_wav(tmp_path / "a.wav", samples, 44100, float32=True)
    rate, written = wavfile.read(tmp_path / "a.wav")
    assert rate == 44100
    np.testing.assert_array_equal(written.T, samples)


@pytest.mark.parametrize("float32", [False, True])
def test_header_sizes_are_those_of_the_file(tmp_path: Path, float32: bool) -> None:
    write_wav(tmp_path / "a.wav", noise(length=77), 44100, float32)
    data = (tmp_path / "a.wav").read_bytes()
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    assert int.from_bytes(data[90:94], "little") == len(data) - 94 == 77 * 2 * (4 if float32 else 2)


def test_folders_are_made(tmp_path: Path) -> None:
    write_wav(tmp_path / "x" / "y" / "a.wav", noise(), 44100)
    assert [p.name for p in (tmp_path / "x" / "y").iterdir()] == ["a.wav"]


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="file"):
        make_folder(tmp_path / "file")
    with pytest.raises(UserError, match=r"file.*choose another"):
        write_wav(tmp_path / "file" / "a.wav", noise(), 44100)


class _FullDisk(io.FileIO):
    """Takes the header; then the disk is full."""

    def write(self, data: object) -> int:  # type: ignore[override]
        if len(memoryview(data)) > 100:  # type: ignore[arg-type]
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]


def test_full_disk_leaves_the_old_file_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wav(tmp_path / "a.wav", noise(), 44100)
    before = (tmp_path / "a.wav").read_bytes()
    monkeypatch.setattr(Path, "open", lambda self, mode: _FullDisk(self, mode))
    with pytest.raises(UserError, match="No space left") as caught:
        write_wav(tmp_path / "a.wav", -noise(), 44100)
    monkeypatch.undo()
    assert str(tmp_path) in str(caught.value)
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("error", "remedy"),
    [(BrokenPipeError(errno.EPIPE, "Broken pipe"), "has ended"), (OSError(28, "Full"), "make room")],
)
def test_standard_output_that_takes_nothing(error: OSError, remedy: str) -> None:
    class Refusing(io.BytesIO):
        def write(self, data: object) -> int:
            raise error

    with (
        pytest.raises(UserError, match=rf"standard output \({error.strerror}\): .*{remedy}"),
        AudioWriter(Refusing(), 44100, 2, Encoding("wav", "int16", 0)) as writer,
    ):
        writer.write(noise())


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX limit on file sizes")
def test_a_write_that_the_system_refuses(tmp_path: Path) -> None:
    """The same with a real refusal: the kernel stops the file at 4,096 bytes."""
    code = (
        "import resource, sys, numpy as np\n"
        "from htdemucs_n.audio import write_wav\n"
        "from htdemucs_n.errors import UserError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n    write_wav(sys.argv[1], np.zeros((2, 9000), np.float32), 44100)\n"
        "except UserError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.wav")], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"cannot write 'a.wav' in '{tmp_path}'")
    assert list(tmp_path.iterdir()) == []
