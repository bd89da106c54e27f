"""The weights in the package separate: a song made from code, whose stems are known, through the public interface."""

from __future__ import annotations

import torch

from htdemucs_n import Separator, load_model
from htdemucs_n.demo.song import make_song
from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.models.registry import DEFAULT_MODEL, available_models

RATE = 44100


def test_every_stem_is_found_in_a_song_never_heard() -> None:
    """Silence scores 0 dB, the mixture in place of a stem less, and a model that learnt nothing about 1."""
    stems = {name: torch.from_numpy(stem) for name, stem in make_song(seed=0, seconds=9.0).items()}
    mixture = torch.stack(list(stems.values())).sum(dim=0)
    estimates = Separator(device="cpu").separate(mixture, RATE)
    assert set(estimates) == set(stems)
    scores = {name: global_sdr(stem, estimates[name]).item() for name, stem in stems.items()}
    for name, stem in stems.items():
        assert scores[name] > global_sdr(stem, mixture).item() + 5, scores
    assert sum(scores.values()) / len(scores) > 2, scores
    assert (torch.stack(list(estimates.values())).sum(dim=0) - mixture).abs().max() < 1e-5


def test_the_default_is_shipped_and_ready() -> None:
    assert DEFAULT_MODEL in available_models()
    model = load_model()
    assert not model.training
    assert model.sources == ("drums", "bass", "other", "vocals")
    assert all(parameter.isfinite().all() and parameter.dtype == torch.float32 for parameter in model.parameters())
