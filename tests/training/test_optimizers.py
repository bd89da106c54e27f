"""Muon against the singular value decomposition, and how parameters are shared out between the optimisers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from htdemucs_n.errors import UserError
from htdemucs_n.training.config import SolverConfig
from htdemucs_n.training.optimizers import Muon, build_optimizers, matrices, orthogonalised
from models_helpers import tiny_model
from training_helpers import solver, tiny_config


@given(rows=st.integers(1, 24), columns=st.integers(1, 60), scale=st.sampled_from([1e-6, 1.0, 1e4]))
def test_orthogonalised_keeps_singular_vectors_and_levels_singular_values(
    rows: int, columns: int, scale: float
) -> None:
    """Well-conditioned matrices: U S V' comes out as U D V', every number of D between 0.6 and 1.3."""
    generator = torch.Generator().manual_seed(rows * 100 + columns)
    u, _, vt = torch.linalg.svd(torch.randn(rows, columns, generator=generator), full_matrices=False)
    s = torch.rand(vt.shape[0], generator=generator) * 0.8 + 0.2
    result = orthogonalised(scale * (u * s) @ vt)
    levels = u.mT @ result @ vt.mT
    assert levels.diagonal().min() > 0.6
    assert levels.diagonal().max() < 1.3
    assert (levels - torch.diag(levels.diagonal())).abs().max() < 0.1  # bfloat16 counts in steps of 0.004


def test_a_stack_is_orthogonalised_band_by_band() -> None:
    stack = (
        torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0)) * torch.tensor([1e-3, 1, 1e3])[:, None, None]
    )
    for matrix, alone in zip(orthogonalised(stack), stack, strict=True):
        torch.testing.assert_close(matrix, orthogonalised(alone), rtol=0, atol=0.02)


def test_no_gradient_no_direction() -> None:
    assert orthogonalised(torch.zeros(4, 6)).abs().max() == 0


@pytest.mark.parametrize(
    ("shape", "stacked"),
    [((6, 10), False), ((8, 4, 3), False), ((6, 5, 3, 3), False), ((4, 6, 2, 2), False), ((3, 4, 9), True)],
)
def test_two_steps_are_those_of_the_definition(shape: tuple[int, ...], stacked: bool) -> None:
    """Against U V' by the singular value decomposition of the momentum, in float64."""
    torch.manual_seed(1)
    parameter = torch.nn.Parameter(torch.randn(shape))
    optimizer = Muon([{"params": [parameter], "stacked": stacked}], lr=0.1, weight_decay=0.5)
    expected, momentum = parameter.detach().double(), torch.zeros(shape, dtype=torch.float64)
    for _ in range(2):
        gradient = torch.randn(shape)
        parameter.grad = gradient.clone()
        optimizer.step()
        momentum = 0.95 * momentum + 0.05 * gradient.double()
        ahead = 0.05 * gradient.double() + 0.95 * momentum
        rows = ahead if stacked else ahead.flatten(1)
        u, _, vt = torch.linalg.svd(rows, full_matrices=False)
        direction = (u @ vt).reshape(shape) * 0.2 * max(rows.shape[-2:]) ** 0.5
        expected = expected * (1 - 0.1 * 0.5) - 0.1 * direction
    moved, wanted = parameter.detach().double() - expected, 0.1 * 0.2 * max(rows.shape[-2:]) ** 0.5
    # Newton and Schulz leave each singular value within 0.35 of 1: two steps, along unit singular vectors.
    spectral = torch.linalg.matrix_norm(moved if stacked else moved.flatten(1), ord=2)
    assert spectral.max() < 2 * 0.35 * wanted


def test_every_parameter_has_one_optimiser(tmp_path: Path) -> None:
    config = tiny_config(tmp_path).solver
    model = tiny_model()
    muon, adamw = build_optimizers(model, config)
    taken = [[id(p) for group in optimizer.param_groups for p in group["params"]] for optimizer in (muon, adamw)]
    assert sorted(taken[0] + taken[1]) == sorted(id(p) for p in model.parameters())
    names = {id(p): name for name, p in model.named_parameters()}
    by_muon = {names[p] for p in taken[0]}
    assert "transformer.position.weight" not in by_muon, "a depthwise kernel is no matrix"
    assert "freq_decoder.gates.0.psi.weight" not in by_muon, "one row is no matrix"
    assert {
        "multi_stft_encoder.processors.0.0.weights.0",
        "freq_encoder.blocks.0.0.body.0.weight",
        "transformer.blocks.0.attention.1.to_qkv.weight",
        "spectral_head.merge.weights.1",
        "time_decoder.to_audio.weight",
    } <= by_muon
    assert not any(name.endswith("bias") for name in by_muon)
    stacked = {id(p) for p, is_stack in matrices(model) if is_stack}
    assert {names[p] for p in stacked} == {name for name in by_muon if ".weights." in name}


def test_adamw_alone_has_all_parameters(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, solver={"optimizer": "adamw"}).solver
    (adamw,) = build_optimizers(tiny_model(), config)
    assert isinstance(adamw, torch.optim.AdamW)


def test_a_run_goes_on_with_its_own_optimiser_only(tmp_path: Path) -> None:
    solver(tmp_path, valid=False, solver={"epochs": 1, "optimizer": "adamw"}).train()
    other = solver(tmp_path, valid=False, solver={"optimizer": "muon"})
    with pytest.raises(UserError, match=r"last\.safetensors was trained with another solver\.optimizer"):
        other.restore()


def test_an_unknown_optimiser_is_named() -> None:
    with pytest.raises(UserError, match=r"'solver\.optimizer' is 'sgd': use one of muon, adamw"):
        SolverConfig(optimizer="sgd")
