"""The training loop: its schedule, what it writes, that it learns, and what stops it."""

from __future__ import annotations

import csv
import itertools
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from htdemucs_n.errors import UserError
from htdemucs_n.models.registry import load_model
from htdemucs_n.models.storage import load_tensors
from htdemucs_n.training.bank import Song, StemBank
from htdemucs_n.training.batches import Batch
from htdemucs_n.training.config import SolverConfig
from htdemucs_n.training.solver import Solver, learning_rate
from htdemucs_n.training.validate import validate
from training_helpers import NO_AUGMENT, SOURCES, default_values, noise_bank, noise_song, tiny_config

VALID = (noise_song(7, 9000), noise_song(8, 9000))


def solver(out: Path, valid: tuple[Song, ...] = VALID, **sections: dict[str, Any]) -> Solver:
    return Solver(tiny_config(out, **sections), noise_bank(), valid)


def rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "curve.csv").open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def schedule(**keys: Any) -> SolverConfig:
    settings = {"lr": 1e-3, "epochs": 10, "epoch_steps": 100, "warmup_steps": 50, "decay": 0.4}
    return SolverConfig(**(default_values()["solver"] | settings | keys))


def test_learning_rate_at_the_corners() -> None:
    """1,000 steps: up to 1e-3 in 50, level until 600, a half cosine to 0 at 1,000."""
    config = schedule()
    rate = [learning_rate(config, step) for step in range(1001)]
    assert rate[0] == pytest.approx(1e-3 / 50)
    assert rate[24] == pytest.approx(0.5e-3)
    assert rate[49:601] == pytest.approx([1e-3] * 552)
    assert rate[700] == pytest.approx(1e-3 * (2 + math.sqrt(2)) / 4)
    assert rate[800] == pytest.approx(0.5e-3)
    assert rate[900] == pytest.approx(1e-3 * (2 - math.sqrt(2)) / 4)
    assert rate[999] == pytest.approx(1e-3 * (math.pi / 800) ** 2, rel=1e-4)
    assert rate[1000] == pytest.approx(0, abs=1e-12)
    assert np.all(np.diff(rate[:50]) > 0)
    assert np.all(np.diff(rate[601:]) < 0)
    assert learning_rate(config, 5000) == pytest.approx(0, abs=1e-12)


def test_learning_rate_without_warm_up_or_decay() -> None:
    constant = schedule(warmup_steps=0, decay=0.0)
    assert {learning_rate(constant, step) for step in range(999)} == {1e-3}
    whole = schedule(warmup_steps=0, decay=1.0)
    expected = [0.5e-3 * (1 + math.cos(math.pi * step / 1000)) for step in range(1000)]
    assert [learning_rate(whole, step) for step in range(1000)] == pytest.approx(expected)


def test_what_a_run_leaves(tmp_path: Path) -> None:
    run = solver(tmp_path / "deep" / "run")
    best = run.train()
    out = tmp_path / "deep" / "run"
    assert {path.name for path in out.iterdir()} == {
        "last.safetensors",
        "best.safetensors",
        "curve.csv",
        "config.yaml",
        "run.json",
        "curve.png",
        "events",
    }
    table = rows(out)
    assert [row["step"] for row in table] == [3, 6]
    assert [*table[0]] == ["step", "minutes", "lr", "loss", "waiting", *SOURCES, "mean"]
    assert table[0]["minutes"] <= table[1]["minutes"]
    expected = [learning_rate(run.config.solver, step) for step in (2, 5)]
    assert [row["lr"] for row in table] == pytest.approx(expected, rel=1e-4)
    for row in table:
        assert row["mean"] == pytest.approx(np.mean([row[name] for name in SOURCES]), abs=1e-4)
    assert best == pytest.approx(max(row["mean"] for row in table), abs=1e-4)


def test_the_best_model_separates_as_it_was_validated(tmp_path: Path) -> None:
    """`best.safetensors` is a model like any other, and its own card states the score that it really has."""
    best = solver(tmp_path).train()
    _, card = load_tensors(tmp_path / "best.safetensors")
    table = {row["step"]: row for row in rows(tmp_path)}
    assert card["sdr"] == pytest.approx({k: table[card["step"]][k] for k in (*SOURCES, "mean")}, abs=1e-3)
    model = load_model(tmp_path / "best.safetensors")
    assert not model.training
    scores = validate(model, VALID)
    assert scores["mean"] == pytest.approx(best, abs=1e-3)
    assert scores == pytest.approx(card["sdr"], abs=2e-3)


def test_only_a_better_model_replaces_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([1.0, 3.0, 2.0, math.nan])
    monkeypatch.setattr(
        "htdemucs_n.training.solver.validate",
        lambda model, songs: dict.fromkeys((*SOURCES, "mean"), next(scores)),
    )
    run = solver(tmp_path, solver={"epochs": 4, "epoch_steps": 1})
    assert run.train() == 3.0
    _, card = load_tensors(tmp_path / "best.safetensors")
    assert card["step"] == 2
    assert card["sdr"]["mean"] == 3.0


def test_the_averaged_weights_are_what_is_validated_and_kept(tmp_path: Path) -> None:
    solver(tmp_path, solver={"epochs": 1, "calibration_batches": 0}).train()
    last, best = (load_file(tmp_path / f"{name}.safetensors") for name in ("last", "best"))
    assert all(torch.equal(tensor, last[f"ema.{key}"]) for key, tensor in best.items())
    assert any(not torch.equal(tensor, last[f"model.{key}"]) for key, tensor in best.items())


def test_without_songs_to_validate(tmp_path: Path) -> None:
    run = solver(tmp_path, valid=())
    assert run.train() == -math.inf
    assert [*rows(tmp_path)[-1]] == ["step", "minutes", "lr", "loss", "waiting"]
    assert not (tmp_path / "best.safetensors").exists()


def test_the_first_step_is_adamw(tmp_path: Path) -> None:
    """After one step with no decay of weights, each has moved by lr * g / (|g| + eps), g being the clipped gradient."""
    settings = {
        "optimizer": "adamw",
        "epochs": 1,
        "epoch_steps": 1,
        "warmup_steps": 1,
        "weight_decay": 0.0,
        "clip": 0.01,
    }
    run = solver(tmp_path, valid=(), solver=settings)
    before = {name: p.detach().double().clone() for name, p in run.model.named_parameters()}
    run.train()
    gradients = {name: p.grad.double() for name, p in run.model.named_parameters() if p.grad is not None}
    assert gradients.keys() == before.keys()
    norm = math.sqrt(sum(g.square().sum().item() for g in gradients.values()))
    assert norm == pytest.approx(0.01, rel=1e-3), "the gradient was clipped"
    for name, parameter in run.model.named_parameters():
        step = 3e-4 * gradients[name] / (gradients[name].abs() + 1e-8)
        torch.testing.assert_close(parameter.detach().double(), before[name] - step, rtol=0, atol=2e-7)


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_only_matrices_and_kernels_decay(tmp_path: Path, optimizer: str) -> None:
    run = solver(tmp_path, valid=(), solver={"weight_decay": 0.25, "optimizer": optimizer})
    groups = [group for each in run.take_step.optimizers for group in each.param_groups]
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert len(decay) == sum(1 for _ in run.model.parameters())
    for name, parameter in run.model.named_parameters():
        assert decay[id(parameter)] == (0.25 if parameter.ndim > 1 else 0.0), name


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_one_batch_is_learned(tmp_path: Path, precision: str) -> None:
    """Tones an octave and more apart, the same crop in every step: the error halves and more."""
    time = np.arange(8192) / 8192
    waves = [6000 * np.sin(2 * np.pi * periods * time) for periods in (20, 60, 180, 1500)]
    song = Song("tones", tuple(torch.from_numpy(np.stack([w, 0.5 * w]).astype(np.int16)) for w in waves))
    config = tiny_config(
        tmp_path,
        solver={"lr": 2e-2, "epochs": 2, "epoch_steps": 18, "precision": precision, "warmup_steps": 4},
        dset={"batch_size": 1},
        augment=NO_AUGMENT,
    )
    Solver(config, StemBank((song,), {}), ()).train()
    losses = [row["loss"] for row in rows(tmp_path)]
    assert losses[-1] < 0.5 * losses[0]


class Poison(nn.Module):
    """A loss that is what it should be until step `at`, then `times` NaN, or finite with a gradient that is not."""

    def __init__(self, loss: nn.Module, at: int, times: int, gradient: bool) -> None:
        super().__init__()
        self.loss, self.bad, self.gradient, self.calls = loss, range(at, at + times), gradient, -1

    def forward(self, estimate: Tensor, batch: Batch) -> Tensor:
        self.calls += 1
        if self.calls not in self.bad:
            return self.loss(estimate, batch)  # type: ignore[no-any-return]
        # The slope of the root is infinite at 0.
        return (0 * estimate.sum()).sqrt() if self.gradient else self.loss(estimate, batch) * math.nan


@pytest.mark.parametrize("gradient", [False, True])
def test_steps_that_are_not_finite_are_skipped_and_ten_in_a_row_stop_the_run(tmp_path: Path, gradient: bool) -> None:
    """With a checkpoint after every step: the last one is from before the end, and is good."""
    run = solver(tmp_path, valid=(), solver={"checkpoint_minutes": 0.0, "epochs": 5})
    run.take_step.loss = Poison(run.take_step.loss, 2, 100, gradient)  # type: ignore[assignment]
    with pytest.raises(UserError, match=r"10 steps .* solver\.lr"):
        run.train()
    tensors, metadata = load_tensors(tmp_path / "last.safetensors")
    assert metadata["progress"]["step"] == 2 + 9
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    assert all(parameter.isfinite().all() for parameter in run.ema.model.parameters())


def test_a_skipped_step_leaves_the_weights_alone_and_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad step of six: it is reported, and the mean loss of the epoch leaves it out."""
    run = solver(tmp_path, valid=())
    run.take_step.loss = Poison(run.take_step.loss, 3, 1, gradient=False)  # type: ignore[assignment]
    moved, take = [], run.take_step.backward

    def watched(batches: Any) -> float:
        moved.append(torch.cat([p.detach().flatten() for p in run.model.parameters()]))
        return take(batches)

    run.take_step.backward = watched  # type: ignore[method-assign]
    run.train()
    assert [torch.equal(a, b) for a, b in itertools.pairwise(moved)] == [False, False, False, True, False]
    assert sum("skipped" in record.message for record in caplog.records) == 1
    assert all(math.isfinite(row["loss"]) for row in rows(tmp_path))


def test_the_seed_decides_the_first_weights(tmp_path: Path) -> None:
    first, again, other = (solver(tmp_path, misc={"seed": seed}).model.state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("where", ["run", "run/events"])
def test_a_folder_that_cannot_be_made(tmp_path: Path, where: str) -> None:
    """A file stands where the folder, or the one for events, should be."""
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_text("in the way")
    with pytest.raises(UserError, match=r"misc\.out") as caught:
        solver(tmp_path / "run").train()
    assert str(tmp_path / "run") in str(caught.value)


def test_a_table_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "curve.csv").mkdir()
    with pytest.raises(UserError, match=r"curve\.csv"):
        solver(tmp_path).train()


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    """The gradient of two batches of two is the mean of theirs; over a model without batch norm, that of four."""

    def gradient(size: int, accumulate: int) -> dict[str, Tensor]:
        run = solver(tmp_path, valid=(), dset={"batch_size": size}, solver={"accumulate": accumulate})
        run.model.eval()  # batch norm would see other items beside each
        run.take_step.backward([run.sampler.batch(number) for number in range(accumulate)])
        return {name: p.grad for name, p in run.model.named_parameters() if p.grad is not None}

    whole, parts = gradient(4, 1), gradient(2, 2)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, atol=1e-5 * float(value.abs().max()) + 1e-9, rtol=1e-4)


class Compiled(nn.Module):
    """What `torch.compile` gives, without the compiling: it holds the module under a name of its own."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._orig_mod, self.calls = module, 0

    def forward(self, mixture: Tensor) -> Tensor:
        self.calls += 1
        return self._orig_mod(mixture)  # type: ignore[no-any-return]


def test_a_compiled_run_is_the_same_run_under_the_same_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch goes through the compiled module; the checkpoints do not depend on it."""
    quick = {"epochs": 1, "epoch_steps": 2, "accumulate": 2}
    plain = solver(tmp_path / "plain", VALID[:1], solver=quick)
    plain.train()
    assert plain.take_step.forward is plain.model
    monkeypatch.setattr(torch, "compile", Compiled)
    compiled = solver(tmp_path / "compiled", VALID[:1], solver=quick | {"compile": True})
    compiled.train()
    assert isinstance(compiled.take_step.forward, Compiled)
    assert compiled.take_step.forward.calls == 2 * 2
    assert any("_orig_mod" in name for name in compiled.take_step.forward.state_dict()), "the stand-in has other names"
    for name in ("last.safetensors", "best.safetensors"):
        one, other = (load_file(tmp_path / folder / name) for folder in ("plain", "compiled"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_patience_stops_a_run_that_gets_no_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Best at the second validation, patience of three: the run ends at the fifth."""
    scores = iter([1.0, 3.0, 2.0, 2.9, 3.0, 9.0, 9.0])
    monkeypatch.setattr(
        "htdemucs_n.training.solver.validate", lambda model, songs: dict.fromkeys((*SOURCES, "mean"), next(scores))
    )
    run = solver(tmp_path, solver={"epochs": 7, "epoch_steps": 1, "patience": 3})
    assert run.train() == 3.0
    assert run.step == 5


def test_preflight_reports_and_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with_it, without = (solver(tmp_path / str(on), valid=(), misc={"preflight": on}) for on in (True, False))
    with_it.train()
    without.train()
    assert sum("preflight" in record.message and "6 steps" in record.message for record in caplog.records) == 1
    for (name, a), b in zip(with_it.model.state_dict().items(), without.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_a_step_that_does_not_fit_is_refused_before_the_run(tmp_path: Path) -> None:
    run = solver(tmp_path, valid=(), misc={"preflight": True})

    def too_large(batches: Any) -> float:
        raise torch.OutOfMemoryError

    run.take_step.backward = too_large  # type: ignore[method-assign]
    with pytest.raises(UserError, match=r"dset\.batch_size.*solver\.accumulate"):
        run.train()


def test_half_precision_scales_its_loss_and_learns(tmp_path: Path) -> None:
    """The first scale, 65,536, overflows in some step or not; either way the weights move and stay finite."""
    run = solver(tmp_path, valid=(), solver={"precision": "fp16", "epochs": 4})
    before = {name: p.detach().clone() for name, p in run.model.named_parameters()}
    run.train()
    assert run.take_step.scaler.is_enabled()
    assert all(p.isfinite().all() for p in run.model.parameters())
    assert any(not torch.equal(p, before[name]) for name, p in run.model.named_parameters())
    progress = load_tensors(tmp_path / "last.safetensors")[1]["progress"]
    assert progress["scaler"]["scale"] == run.take_step.scaler.get_scale()


def test_a_stem_that_is_not_learnt_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The mixture scores -4 dB for bass and 3 dB for vocals, which is what the model has there; drums are silent."""
    monkeypatch.setattr(
        "htdemucs_n.training.solver.mixture_scores",
        lambda sources, songs: dict(zip(SOURCES, (-5, -4, -5, 3), strict=True)),
    )
    scores = dict(zip((*SOURCES, "mean"), (0.1, 2.0, 1.0, 3.1, 1.55), strict=True))
    monkeypatch.setattr("htdemucs_n.training.solver.validate", lambda model, songs: dict(scores))
    solver(tmp_path, solver={"epochs": 1, "warmup_steps": 3}).train()
    assert "learnt" not in caplog.text, "during the warm-up nothing is said"
    solver(tmp_path / "b", solver={"epochs": 1, "warmup_steps": 2}).train()
    idle = [line for line in caplog.messages if "learnt" in line]
    assert [line.split()[0] for line in idle] == ["drums", "vocals"]
