"""The weights in the package separate: a real song in stems, through the public interface."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from htdemucs_n import Separator, load_model
from htdemucs_n.demo import demo_song
from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.models.names import DEFAULT_MODEL, available_models

RATE = 44100
EXCERPT = slice(4 * RATE, 4 * RATE + RATE // 4)


GOLDEN = Path(__file__).parent / "golden"
"""`DEFAULT_MODEL.json` has scores in dB; `DEFAULT_MODEL.npz` a quarter of a second of the stems, from second 4 on."""


def separated(stems: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    mixture = torch.stack(list(stems.values())).sum(dim=0)
    return Separator(device="cpu", precision="fp32").separate(mixture, RATE)


def test_the_shipped_weights_give_the_stems_that_they_gave(demo_stems: dict[str, torch.Tensor]) -> None:
    """Scores within 0.02 dB and samples 60 dB below the mixture of what is stored.

    After a change of the shipped weights, `python tests/models/test_shipped_model.py` stores them again.
    """
    estimates = separated(demo_stems)
    expected = json.loads((GOLDEN / f"{DEFAULT_MODEL}.json").read_text(encoding="utf-8"))
    scores = {name: global_sdr(stem, estimates[name]).item() for name, stem in demo_stems.items()}
    assert scores == pytest.approx(expected, abs=0.02)
    mixture = torch.stack(list(demo_stems.values())).sum(dim=0)[:, EXCERPT]
    with np.load(GOLDEN / f"{DEFAULT_MODEL}.npz") as stored:
        for name, estimate in estimates.items():
            error = estimate[:, EXCERPT] - torch.from_numpy(stored[name].astype(np.float32))
            assert error.square().mean().sqrt() < 1e-3 * mixture.square().mean().sqrt()


def test_every_stem_is_found_in_a_song_that_was_never_trained_on(demo_stems: dict[str, torch.Tensor]) -> None:
    """Every stem is nearer to the truth than the mixture and than silence, and all add up to the mixture."""
    estimates = separated(demo_stems)
    mixture = torch.stack(list(demo_stems.values())).sum(dim=0)
    for name, stem in demo_stems.items():
        assert global_sdr(stem, estimates[name]) > max(0.0, global_sdr(stem, mixture).item()) + 0.5, name
    assert (torch.stack(list(estimates.values())).sum(dim=0) - mixture).abs().max() < 1e-5


def test_the_default_is_shipped_and_ready() -> None:
    assert DEFAULT_MODEL in available_models()
    model = load_model()
    assert not model.training
    assert model.sources == ("drums", "bass", "other", "vocals")
    assert all(parameter.isfinite().all() and parameter.dtype == torch.float32 for parameter in model.parameters())


def store() -> None:
    """Store what the shipped weights give now."""
    stems = {stem: torch.from_numpy(audio.samples) for stem, audio in demo_song().items()}
    estimates = separated(stems)
    scores = {name: round(global_sdr(stem, estimates[name]).item(), 3) for name, stem in stems.items()}
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / f"{DEFAULT_MODEL}.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    excerpts = {name: estimate[:, EXCERPT].numpy().astype(np.float16) for name, estimate in estimates.items()}
    np.savez_compressed(GOLDEN / f"{DEFAULT_MODEL}.npz", **excerpts)
    print(scores)


if __name__ == "__main__":
    store()
