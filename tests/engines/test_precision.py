"""Reduced precision: chosen where the device has it, weights rounded once give what autocast gives, little is lost."""

from __future__ import annotations

import pytest
import torch

from htdemucs_n.engines.device import choose_precision
from htdemucs_n.errors import UserError
from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.models.folding import prepare_for_inference, reduce_weights
from htdemucs_n.models.registry import load_model
from htdemucs_n.separation import Separator
from models_helpers import noise, tiny_model

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("avx512", "amx", "chosen"),
    [(False, False, "fp32"), (True, False, "bf16"), (False, True, "bf16")],
)
def test_auto_takes_bf16_where_the_cpu_multiplies_in_it(
    monkeypatch: pytest.MonkeyPatch, avx512: bool, amx: bool, chosen: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert choose_precision("auto", CPU) == chosen
    assert choose_precision("fp16", CPU) == "fp16"


def test_an_unknown_precision() -> None:
    with pytest.raises(UserError, match="unknown precision 'int8'"):
        choose_precision("int8", CPU)


def test_weights_rounded_once_give_the_bytes_of_autocast() -> None:
    model = prepare_for_inference(tiny_model(use_train_segment=False))
    mixture = noise(1, 2, 16384)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        expected = model(mixture)
        actual = reduce_weights(model, torch.bfloat16)(mixture)
    assert actual.dtype == expected.dtype == torch.float32
    assert torch.equal(actual, expected)


def test_bf16_loses_little_of_the_shipped_models_score(demo_stems: dict[str, torch.Tensor]) -> None:
    stems = {name: stem[:, : 9 * 44100] for name, stem in demo_stems.items()}
    mixture = torch.stack(list(stems.values())).sum(dim=0)
    scores = []
    for precision in ("fp32", "bf16"):
        estimates = Separator(load_model(), device="cpu", precision=precision).separate(mixture, 44100)
        scores.append(sum(global_sdr(stems[name], estimates[name]).item() for name in stems) / 4)
    assert abs(scores[0] - scores[1]) < 0.05
    assert scores[0] != scores[1]  # it was another precision
