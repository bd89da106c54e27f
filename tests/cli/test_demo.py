"""`htdemucs-n demo` with a separator whose answer is known: files, scores and picture."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import typer
from torch import Tensor
from typer.testing import CliRunner

from htdemucs_n.cli.demo import demo
from htdemucs_n.demo import demo_song
from htdemucs_n.errors import UserError
from htdemucs_n.evaluation.picture import log_spectrogram, save_spectrograms

STEMS = ("drums", "bass", "other", "vocals")


class QuarterSeparator:
    """Every stem is a quarter of the mixture."""

    sources: tuple[str, ...] = STEMS
    engine = SimpleNamespace(name="split", device="cpu")

    def __init__(self, model: str | Path | None, engine: str, device: str) -> None:
        pass

    def separate(self, mixture: Tensor, sample_rate: int) -> dict[str, Tensor]:
        assert sample_rate == 44_100
        return dict.fromkeys(self.sources, mixture / 4)


class VoiceSeparator(QuarterSeparator):
    sources = ("vocals", "accompaniment")


def run_demo(monkeypatch: pytest.MonkeyPatch, separator: type[QuarterSeparator], *options: str) -> str:
    monkeypatch.setattr("htdemucs_n.separation.Separator", separator)
    app = typer.Typer()
    app.command()(demo)
    return CliRunner().invoke(app, options, catch_exceptions=False, env={"COLUMNS": "100"}).output


def test_writes_the_song_its_stems_and_the_scores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = tmp_path / "my demo"
    output = run_demo(monkeypatch, QuarterSeparator, "-o", str(out))

    truth = {stem: audio.samples for stem, audio in demo_song().items()}
    mixture = sum(truth.values())
    expected = {"mixture.wav": mixture}
    expected |= {f"truth/{stem}.wav": truth[stem] for stem in STEMS}
    expected |= {f"estimate/{stem}.wav": mixture / 4 for stem in STEMS}
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert written == {*expected, "demo.png"}
    for name, samples in expected.items():
        data, rate = soundfile.read(out / name, dtype="float32")
        assert rate == 44_100
        np.testing.assert_allclose(data.T, samples, atol=1e-6)
    assert (out / "demo.png").read_bytes().startswith(b"\x89PNG")

    assert re.search(r"12\.0 s of song separated in \d+\.\d s by split on cpu$", output, re.MULTILINE)
    rows = {cells[0]: cells[1:] for line in output.splitlines() if len(cells := line.replace("│", " ").split()) == 3}
    scores = []
    for stem in STEMS:
        reference = truth[stem].astype(np.float64)
        sdr = [
            10 * np.log10((reference**2).sum() / ((reference - estimate) ** 2).sum())
            for estimate in (mixture / 4, mixture)
        ]
        assert [float(cell) for cell in rows[stem]] == pytest.approx(sdr, abs=0.006)
        scores.append(sdr)
    assert [float(cell) for cell in rows["mean"]] == pytest.approx(np.mean(scores, axis=0), abs=0.006)


@pytest.mark.usefixtures("without_matplotlib")
def test_without_matplotlib_only_the_picture_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    output = run_demo(monkeypatch, QuarterSeparator, "-o", str(tmp_path / "demo"))
    (note,) = [line for line in output.splitlines() if line.startswith("note:")]
    assert note.endswith(
        'the picture demo.png needs the package matplotlib, which is not installed: pip install "htdemucs-n[evaluate]"'
    )
    assert (tmp_path / "demo/estimate/vocals.wav").exists() and not (tmp_path / "demo/demo.png").exists()


def test_a_model_with_other_stems_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="vocals, accompaniment"):
        run_demo(
            monkeypatch,
            VoiceSeparator,
            "-o",
            str(tmp_path / "out"),
            "-n",
            "mine.safetensors",
        )
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="taken"):
        run_demo(monkeypatch, QuarterSeparator, "-o", str(tmp_path / "taken"))


def test_spectrogram_shows_a_tone_at_its_frequency_and_level() -> None:
    rate, frequency, amplitude = 44_100, 1000.0, 0.5
    time = np.arange(rate) / rate
    tone = amplitude * np.sin(2 * math.pi * frequency * time)
    picture = log_spectrogram(np.stack([tone, -tone]), rate)  # anti-phase, silent in a mono sum
    column = picture[:, picture.shape[1] // 2]
    row = int(column.argmax())
    shown = 30 * (20_000 / 30) ** (row / (len(column) - 1))
    assert abs(shown - frequency) < 25
    # A sine of amplitude a has the one-sided level 20 log10(a / 2); the window scallops by up to 1.4 dB.
    assert float(column[row]) == pytest.approx(20 * math.log10(amplitude / 2), abs=1.5)
    assert float(column[row + 40 :].max()) < float(column[row]) - 60


@pytest.mark.parametrize("length", [1, 100, 5000])
def test_pictures_of_short_and_silent_stems(tmp_path: Path, length: int) -> None:
    stems = {"drums": np.zeros((2, length), np.float32), "bass": np.ones((2, length), np.float32)}
    path = tmp_path / "sheet.png"
    save_spectrograms(path, stems, stems, {"drums": math.nan, "bass": 100.0}, 44_100)
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.png"]
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_a_user_error(tmp_path: Path) -> None:
    stems = {"drums": np.ones((2, 100), np.float32)}
    (tmp_path / "missing").write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"sheet\.png"):
        save_spectrograms(tmp_path / "missing" / "sheet.png", stems, stems, {"drums": 0.0}, 44_100)


def test_the_demo_song_is_twelve_seconds_in_four_stems_none_silent() -> None:
    song = demo_song()
    assert tuple(song) == STEMS
    for audio in song.values():
        assert audio.sample_rate == 44_100 and audio.samples.shape == (2, 12 * 44_100)
        assert np.sqrt(np.mean(audio.samples**2)) > 0.01
