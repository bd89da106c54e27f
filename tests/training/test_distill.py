"""Distillation: mixtures that a teacher separated, and their passages without vocals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from htdemucs_n.errors import UserError
from htdemucs_n.models.architectures import build_network
from htdemucs_n.models.registry import load_model
from htdemucs_n.models.storage import save_model
from htdemucs_n.separation.separator import Separator
from htdemucs_n.training import distill
from htdemucs_n.training.config import TrainConfig
from htdemucs_n.training.data import load_data
from htdemucs_n.training.distill import Teacher, load_estimated
from training_helpers import SOURCES, tiny_config, write_song

RATE = 44100


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    torch.manual_seed(11)
    path = tmp_path / "teacher.safetensors"
    save_model(path, build_network(tiny_config(tmp_path).network).eval(), {})
    return path


def write_mixture(path: Path, seconds: float = 1.0) -> torch.Tensor:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(-9000, 9000, (round(seconds * RATE), 2), dtype=np.int16)
    soundfile.write(path, noise, RATE)
    return torch.from_numpy(noise.T / 32768).float()


def config(out: Path, **keys: Any) -> TrainConfig:
    dset = {"cache": str(out / "cache")}
    return tiny_config(out, dset=dset, distill={"mixtures": [str(out / "music")], **keys})


def test_a_model_separates_the_mixtures_in_the_order_of_the_run(tmp_path: Path, teacher: Path) -> None:
    mixture = write_mixture(tmp_path / "music" / "album" / "song.wav")
    expected = Separator(load_model(teacher)).separate(mixture, RATE)
    settings = config(tmp_path, teacher=str(teacher))
    (song,), _ = load_estimated(settings)
    assert song.estimated and song.groups == ((0,), (1,), (2,), (3,))
    for name, stem in zip(SOURCES, song.stems, strict=True):
        assert stem is not None
        np.testing.assert_allclose(stem.numpy() / 32768, expected[name].numpy(), atol=0.6 / 32768)


def test_the_stems_are_kept_in_the_cache(tmp_path: Path, teacher: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mixture(tmp_path / "music" / "song.wav")
    settings = config(tmp_path, teacher=str(teacher))
    (first,), _ = load_estimated(settings)
    monkeypatch.setattr(Separator, "separate", None)
    (second,), _ = load_estimated(settings)
    assert all(torch.equal(a, b) for a, b in zip(first.stems, second.stems, strict=True))  # type: ignore[arg-type]


def test_spleeter_knows_the_vocals_and_the_rest_up_to_11_khz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = write_mixture(tmp_path / "music" / "song.wav")
    monkeypatch.setattr(distill.SpleeterTeacher, "load", classmethod(lambda cls, path: lambda audio: 0.25 * audio))
    (tmp_path / "weights").touch()
    settings = config(tmp_path, teacher="spleeter-2stems", teacher_weights=str(tmp_path / "weights"))
    (song,), _ = load_estimated(settings)
    assert song.groups == ((3,), (0, 1, 2))
    assert song.bandwidths == (11025.0, 11025.0)
    vocals, rest = song.stems
    assert vocals is not None and rest is not None
    np.testing.assert_allclose(vocals.numpy() / 32768, 0.25 * mixture.numpy(), atol=0.6 / 32768)
    np.testing.assert_allclose(rest.numpy() / 32768, 0.75 * mixture.numpy(), atol=0.6 / 32768)


def test_passages_without_vocals_are_known_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The teacher finds a voice at 5 to 6 s and at 9.5 to 10 s of 14.2: between them is less than the 4 s needed."""
    mixture = write_mixture(tmp_path / "music" / "song.wav", 14.2)
    voiced = torch.cat([torch.arange(5 * RATE, 6 * RATE), torch.arange(19 * RATE // 2, 10 * RATE)])

    def vocals(audio: torch.Tensor) -> torch.Tensor:
        return audio * torch.zeros_like(audio[0]).index_fill(0, voiced, 0.5)

    monkeypatch.setattr(distill.SpleeterTeacher, "load", classmethod(lambda cls, path: vocals))
    (tmp_path / "weights").touch()
    settings = config(tmp_path, teacher="spleeter-2stems", teacher_weights=str(tmp_path / "weights"))
    _, passages = load_estimated(settings)
    assert [song.groups for song in passages] == [((3,), (0, 1, 2))] * 2
    assert not any(song.estimated for song in passages)
    assert [song.stems[0] for song in passages] == [None, None]
    for song, (start, end) in zip(passages, ((0, 5), (10, 14)), strict=True):
        rest = song.stems[1]
        assert rest is not None
        truth = mixture[:, start * RATE : end * RATE].numpy()
        np.testing.assert_allclose(rest.numpy() / 32768, truth, atol=1.1 / 32768)


def test_the_run_is_given_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_song(tmp_path / "songs" / "a", 0)
    write_mixture(tmp_path / "music" / "song.wav", 5.0)
    monkeypatch.setattr(distill.SpleeterTeacher, "load", classmethod(lambda cls, path: torch.zeros_like))
    (tmp_path / "weights").touch()
    settings = tiny_config(
        tmp_path,
        dset={"train": [str(tmp_path / "songs")]},
        distill={
            "teacher": "spleeter-2stems",
            "teacher_weights": str(tmp_path / "weights"),
            "mixtures": [str(tmp_path / "music")],
        },
    )
    bank, _ = load_data(settings)
    assert (len(bank.songs), len(bank.estimated), len(bank.partial)) == (1, 1, 1)


def test_a_teacher_that_knows_too_little_is_refused(teacher: Path) -> None:
    with pytest.raises(UserError, match=r"teacher.*drums, bass, other, vocals.*guitar"):
        Teacher(str(teacher), None, ("guitar", "drums"), RATE)
    with pytest.raises(UserError, match="48000"):
        Teacher(str(teacher), None, ("drums",), 48000)
    with pytest.raises(UserError, match="teacher_weights"):
        Teacher("spleeter-2stems", None, SOURCES, RATE)
    with pytest.raises(UserError, match="vocals"):
        Teacher("spleeter-2stems", "weights", ("drums",), RATE)


def test_mixtures_without_a_teacher_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"distill\.teacher"):
        config(tmp_path)


def test_a_folder_without_audio_is_named_with_its_key(tmp_path: Path, teacher: Path) -> None:
    (tmp_path / "music").mkdir()
    with pytest.raises(UserError, match=r"distill\.mixtures"):
        load_estimated(config(tmp_path, teacher=str(teacher)))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_stems_that_are_not_finite_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    """As silence, they would make every song one without vocals."""
    write_mixture(tmp_path / "music" / "song.wav")
    monkeypatch.setattr(distill.SpleeterTeacher, "load", classmethod(lambda cls, path: lambda audio: audio * value))
    (tmp_path / "weights").touch()
    settings = config(tmp_path, teacher="spleeter-2stems", teacher_weights=str(tmp_path / "weights"))
    with pytest.raises(UserError, match=r"distill\.teacher=spleeter-2stems.*song\.wav.*NaN"):
        load_estimated(settings)
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_a_model_with_damaged_weights_ends_the_run(tmp_path: Path) -> None:
    write_mixture(tmp_path / "music" / "song.wav")
    network = build_network(tiny_config(tmp_path).network).eval()
    for weight in network.parameters():
        weight.data.fill_(torch.nan)
    save_model(tmp_path / "damaged.safetensors", network, {})
    with pytest.raises(UserError, match=r"damaged\.safetensors.*song\.wav.*NaN"):
        load_estimated(config(tmp_path, teacher=str(tmp_path / "damaged.safetensors")))


def test_mixtures_of_which_none_can_be_read(tmp_path: Path, teacher: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "song.wav").write_text("no audio")
    with pytest.raises(UserError, match=r"distill\.mixtures"):
        load_estimated(config(tmp_path, teacher=str(teacher)))


@pytest.mark.parametrize(("slip", "meant"), [("spleeter-2stem", "spleeter-2stems"), ("band", "bands")])
def test_a_teacher_with_a_slip_gets_the_nearest_name(slip: str, meant: str) -> None:
    with pytest.raises(UserError, match=f"distill\\.teacher.*'{slip}'.*did you mean '{meant}'") as caught:
        Teacher(slip, None, SOURCES, RATE)
    assert "\n" not in str(caught.value)


class Official:
    """A separator of an official model: every stem a quarter of the mixture; there is no file of its weights here."""

    sources = SOURCES

    def __init__(self, name: str, device: str) -> None:
        self.engine = self
        self.samplerate = RATE

    def separate(self, mixture: torch.Tensor, sample_rate: int) -> dict[str, torch.Tensor]:
        return dict.fromkeys(self.sources, mixture / 4)


def test_an_official_model_can_teach_and_its_stems_are_not_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = write_mixture(tmp_path / "music" / "song.wav")
    monkeypatch.setattr(distill, "Separator", Official)
    (song,), _ = load_estimated(config(tmp_path, teacher="htdemucs"))
    for stem in song.stems:
        assert stem is not None
        np.testing.assert_allclose(stem.numpy() / 32768, mixture.numpy() / 4, atol=0.6 / 32768)
    assert not list((tmp_path / "cache").rglob("*.npy"))
