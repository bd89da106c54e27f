"""A run that is stopped and goes on must be the run that was never stopped, bit for bit."""

from __future__ import annotations

import csv
import dataclasses
import errno
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import htdemucs_n.models.storage
from htdemucs_n.errors import UserError
from htdemucs_n.models.architectures import build_network
from htdemucs_n.models.storage import load_saved_model, load_tensors, save_model, save_tensors
from htdemucs_n.training.batches import Batch
from htdemucs_n.training.checkpoint import load_checkpoint
from htdemucs_n.training.ema import EMA
from htdemucs_n.training.solver import Solver
from training_helpers import solver, tiny_config

WEIGHTS = Path(htdemucs_n.models.storage.__file__).parent / "weights"


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than training here."""
    monkeypatch.setattr("htdemucs_n.training.curve.draw_curve", lambda table, picture: None)


def interrupt(solver: Solver, step: int, what: signal.Signals | BaseException) -> None:
    """Make `what` happen in the middle of step number `step`."""
    backward = solver.take_step.backward

    def interrupted(batches: Sequence[Batch]) -> float:
        if solver.step == step:
            if isinstance(what, BaseException):
                raise what
            signal.raise_signal(what)
        return backward(batches)

    solver.take_step.backward = interrupted  # type: ignore[method-assign]


def state(out: Path) -> dict[str, Tensor]:
    return load_file(out / "last.safetensors")


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(("precision", "stop"), [("fp32", signal.SIGINT), ("bf16", signal.SIGTERM)])
def test_stopped_and_resumed_is_the_same_run(tmp_path: Path, precision: str, stop: signal.Signals) -> None:
    """Six steps in one go; two, a signal, four more. Weights, averages, optimiser and best model agree in every bit."""
    settings = {"precision": precision}
    whole = solver(tmp_path / "whole", solver=settings)
    whole.train()

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    first = solver(tmp_path / "parts", solver=settings)
    interrupt(first, 1, stop)
    first.train()
    assert first.step == 2, "the step under way is finished"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    second = solver(tmp_path / "parts", solver=settings)
    second.restore()
    assert second.step == 2
    assert second.minutes == pytest.approx(first.minutes)
    best = second.train()

    assert second.step == 6
    assert best == whole.best
    assert same(state(tmp_path / "whole"), state(tmp_path / "parts"))
    one, other = (load_file(tmp_path / name / "best.safetensors") for name in ("whole", "parts"))
    assert same(one, other)


def test_resume_keeps_the_memory_layout_of_the_optimiser(tmp_path: Path) -> None:
    """The fused AdamW walks weights and moments by address: they must be laid out alike."""
    first = solver(tmp_path, valid=False, solver={"epochs": 1})
    first.train()
    second = solver(tmp_path, valid=False)
    second.restore()
    states = {p: state for optimizer in second.take_step.optimizers for p, state in optimizer.state.items()}
    for parameter in second.model.parameters():
        kept = {name for name, value in states[parameter].items() if value.shape == parameter.shape}
        assert kept in ({"momentum"}, {"exp_avg", "exp_avg_sq"})
        assert all(states[parameter][name].stride() == parameter.stride() for name in kept)


def test_after_a_crash_the_last_checkpoint_goes_on_exactly(tmp_path: Path) -> None:
    """Saved after every step, killed in the fourth: the fourth is done again."""
    whole = solver(tmp_path / "whole", valid=False)
    whole.train()
    first = solver(tmp_path / "parts", valid=False, solver={"checkpoint_minutes": 0.0})
    interrupt(first, 3, MemoryError("killed"))
    with pytest.raises(MemoryError):
        first.train()
    second = solver(tmp_path / "parts", valid=False)
    second.restore()
    assert second.step == 3
    second.train()
    assert same(state(tmp_path / "whole"), state(tmp_path / "parts"))


def test_the_best_score_outlives_a_stop(tmp_path: Path) -> None:
    """A resumed run does not take a worse model for the best one."""
    first = solver(tmp_path, solver={"epochs": 1})
    first.best = 99.0
    first.train()
    assert not (tmp_path / "best.safetensors").exists()
    second = solver(tmp_path)
    second.restore()
    second.train()
    assert not (tmp_path / "best.safetensors").exists()


def test_a_finished_run_stays_finished(tmp_path: Path) -> None:
    solver(tmp_path).train()
    before = state(tmp_path)
    again = solver(tmp_path)
    again.restore()
    again.train()
    assert again.step == 6
    assert same(before, state(tmp_path))
    with (tmp_path / "curve.csv").open(newline="", encoding="utf-8") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["3", "6"]


def test_continue_from_weights_starts_a_new_run_from_them(tmp_path: Path) -> None:
    torch.manual_seed(5)
    config = tiny_config(tmp_path / "run")
    model = build_network(config.network)
    save_model(tmp_path / "weights.safetensors", model, {"card": "what it is"})
    run = solver(tmp_path / "run")
    assert not same(dict(run.model.state_dict()), dict(model.state_dict()))
    object.__setattr__(run.config, "continue_from", str(tmp_path / "weights.safetensors"))
    run.restore()
    assert run.step == 0
    assert run.minutes == 0
    for started in (run.model, run.ema.model):
        assert same(dict(started.state_dict()), dict(model.state_dict()))
    assert not any(optimizer.state for optimizer in run.take_step.optimizers)


def test_half_precision_weights_are_widened(tmp_path: Path) -> None:
    torch.manual_seed(5)
    model = build_network(tiny_config(tmp_path).network)
    save_model(tmp_path / "weights.safetensors", model, {}, torch.float16)
    run = solver(tmp_path / "run")
    object.__setattr__(run.config, "continue_from", str(tmp_path / "weights.safetensors"))
    run.restore()
    for started, original in zip(run.model.parameters(), model.parameters(), strict=True):
        assert started.dtype == torch.float32
        assert torch.equal(started, original.half().float())


def test_continue_from_a_run_goes_on_with_it_in_a_new_folder(tmp_path: Path) -> None:
    """All of its state, and its best score only in its own folder."""
    first = solver(tmp_path / "first", solver={"epochs": 1})
    first.best = 99.0
    first.train()
    second = solver(tmp_path / "second")
    object.__setattr__(second.config, "continue_from", str(tmp_path / "first" / "last.safetensors"))
    second.restore()
    assert second.step == 3
    second.save()
    assert same(state(tmp_path / "first"), state(tmp_path / "second"))
    second.train()
    assert (tmp_path / "second" / "best.safetensors").exists()


def test_a_run_of_other_stems_gives_its_averaged_weights(tmp_path: Path) -> None:
    first = solver(tmp_path / "first", solver={"epochs": 1})
    first.train()
    config = dataclasses.replace(first.config.network, sources=(*first.model.sources, "guitar"))
    model = build_network(config)
    path = tmp_path / "first" / "last.safetensors"
    assert load_checkpoint(path, model, EMA(model, 0.9), [], other_stems=True) == {}
    averaged = dict(first.ema.model.state_dict())
    kept = {name for name, tensor in model.state_dict().items() if averaged[name].shape == tensor.shape}
    assert len(kept) > len(averaged) / 2
    assert all(torch.equal(model.state_dict()[name], averaged[name]) for name in kept)
    with pytest.raises(UserError, match="does not fit this model"):
        load_checkpoint(path, model, EMA(model, 0.9), [])


@pytest.mark.parametrize("name", sorted(path.stem for path in WEIGHTS.glob("*.safetensors")))
def test_shipped_weights_start_a_new_run(name: str) -> None:
    model = load_saved_model(WEIGHTS / f"{name}.safetensors")[0]
    trained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    average = EMA(model, 0.9)
    assert load_checkpoint(WEIGHTS / f"{name}.safetensors", model, average, []) == {}
    assert same(model.state_dict(), trained) and same(average.model.state_dict(), trained)


def test_a_folder_that_holds_a_run_wins_over_continue_from(tmp_path: Path) -> None:
    solver(tmp_path, valid=False, solver={"epochs": 1}).train()
    again = solver(tmp_path, valid=False)
    object.__setattr__(again.config, "continue_from", str(tmp_path / "missing.safetensors"))
    again.restore()
    assert again.step == 3


@pytest.mark.parametrize("kind", ["missing", "text", "foreign", "another size"])
def test_a_checkpoint_that_will_not_do_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.safetensors"
    run = solver(tmp_path / "run")
    if kind == "text":
        path.write_text("no tensors here")
    if kind == "foreign":
        from safetensors.torch import save_file

        save_file({"weight": torch.zeros(2)}, path)
    if kind == "another size":
        other = tiny_config(tmp_path, htdemucs_n={"channels": 8})
        save_model(path, build_network(other.network), {})
    object.__setattr__(run.config, "continue_from", str(path))
    with pytest.raises(UserError) as caught:
        run.restore()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_full_disk_keeps_the_older_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = solver(tmp_path, valid=False, solver={"epochs": 1})
    run.train()
    before = (tmp_path / "last.safetensors").read_bytes()

    def half_written(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
        Path(path).write_bytes(before[: len(before) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(htdemucs_n.models.storage, "save_file", half_written)
    again = solver(tmp_path, valid=False)
    again.restore()
    with pytest.raises(UserError, match=r"last\.safetensors.*No space left"):
        again.train()
    assert (tmp_path / "last.safetensors").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {
        "last.safetensors",
        "curve.csv",
        "events",
        "config.yaml",
        "run.json",
    }


def test_tensors_and_progress_come_back(tmp_path: Path) -> None:
    """Channels-last weights, empty and integer tensors, numbers that JSON does not know."""
    tensors = {
        "image": torch.randn(3, 4, 2, 2).to(memory_format=torch.channels_last),
        "count": torch.tensor(7),
        "none": torch.zeros(0, 2),
    }
    save_tensors(tmp_path / "deep" / "a.safetensors", tensors, {"progress": {"best": float("-inf"), "step": 3}})
    loaded, metadata = load_tensors(tmp_path / "deep" / "a.safetensors")
    assert same(tensors, loaded)
    assert metadata == {"progress": {"best": float("-inf"), "step": 3}}
