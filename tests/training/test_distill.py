"""Distillation: what the teacher says is learned, beside the true stems and where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from htdemucs_n.errors import UserError
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from htdemucs_n.models.registry import load_model
from htdemucs_n.models.storage import save_model
from htdemucs_n.training.bank import StemBank
from htdemucs_n.training.config import TrainConfig
from htdemucs_n.training.distill import Teacher
from htdemucs_n.training.solver import Solver
from training_helpers import noise_bank, noise_song, tiny_config

DEVICE = torch.device("cpu")


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    torch.manual_seed(11)
    path = tmp_path / "teacher.safetensors"
    save_model(path, HTDemucs_n(tiny_config(tmp_path).htdemucs_n).eval(), {})
    return path


def config(out: Path, teacher: Path | None, **distill: Any) -> TrainConfig:
    return tiny_config(out, solver={"loss": "l1"}, distill={"teacher": teacher and str(teacher), **distill})


def test_a_teacher_says_what_its_model_says_in_the_students_order(teacher: Path) -> None:
    mixture = noise_song(0, 8192).mixture_and_stems()[0][None]
    expected = load_model(teacher)(mixture)
    said = Teacher(str(teacher), ("vocals", "drums", "other", "bass"), 44100, 3.0, DEVICE)(mixture)
    assert torch.equal(said, expected[:, [3, 0, 2, 1]])
    assert not said.requires_grad


def test_a_teacher_that_knows_too_little_is_refused(teacher: Path) -> None:
    with pytest.raises(UserError, match=r"teacher.*drums, bass, other, vocals.*guitar"):
        Teacher(str(teacher), ("guitar", "drums"), 44100, 3.0, DEVICE)
    with pytest.raises(UserError, match="48000"):
        Teacher(str(teacher), ("drums",), 48000, 3.0, DEVICE)


class Official(torch.nn.Module):
    """What matters here of a model that is not ours: it hears 7.8 s at most, in full precision."""

    sources, samplerate, max_segment, full_precision = ("drums", "bass"), 44100, 7.8, True

    def forward(self, mixture: torch.Tensor) -> torch.Tensor:
        return (mixture @ torch.eye(mixture.shape[-1])).unsqueeze(1).expand(-1, 2, -1, -1)


def test_an_official_teacher_keeps_its_precision_and_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("htdemucs_n.training.distill.load_model", lambda name: Official())
    mixture = torch.randn(1, 2, 64, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        said = Teacher("htdemucs", ("bass", "drums"), 44100, 7.8, DEVICE)(mixture)
    assert torch.equal(said[:, 0], mixture), "not rounded to 8 bits"
    with pytest.raises(UserError, match=r"dset\.segment=7\.8"):
        Teacher("htdemucs", ("bass", "drums"), 44100, 8.0, DEVICE)


def test_the_loss_is_the_true_one_plus_the_teachers(tmp_path: Path, teacher: Path) -> None:
    with_teacher, without = (Solver(config(tmp_path, t, weight=0.3), noise_bank(), ()) for t in (teacher, None))
    batch = without.sampler.batch(0)
    assert torch.equal(with_teacher.sampler.batch(0).stems, batch.stems), "labelled items are drawn alike"
    estimate = without.model.train()(batch.mixture)
    true, taught = ((estimate - target).abs().mean() for target in (batch.stems, load_model(teacher)(batch.mixture)))
    assert without.take_step.backward([batch]) == pytest.approx(true.item(), rel=1e-4)
    assert with_teacher.take_step.backward([batch]) == pytest.approx((true + 0.3 * taught).item(), rel=1e-4)


def test_unlabelled_mixtures_are_explained_by_the_teacher_alone(tmp_path: Path, teacher: Path) -> None:
    mixtures = (noise_song(5).stems[0],)
    bank = StemBank(noise_bank().songs, {}, mixtures=mixtures)  # type: ignore[arg-type]
    run = Solver(config(tmp_path, teacher, weight=0.3, share=1.0), bank, ())
    batch = run.sampler.batch(0)
    assert not batch.labelled.any()
    estimate = run.model.train()(batch.mixture)
    taught = (estimate - load_model(teacher)(batch.mixture)).abs().mean()
    assert run.take_step.backward([batch]) == pytest.approx(0.3 * taught.item(), rel=1e-4)


def test_mixtures_without_a_teacher_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"distill\.teacher"):
        config(tmp_path, None, mixtures=["songs"])
