"""Costs against closed forms, memory against a known allocation, parts that add up, records with their schema."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from htdemucs_n.errors import UserError
from htdemucs_n.memory import peak_rss_mib, rss_mib
from htdemucs_n.models.folding import prepare_for_inference
from htdemucs_n.models.linear_attention import SoftmaxAttention
from htdemucs_n.models.official import OfficialModel
from htdemucs_n.models.storage import save_model
from htdemucs_n.profiling.attention import (
    KINDS,
    AttentionMeasurement,
    MatrixAttention,
    measure_attention,
)
from htdemucs_n.profiling.cost import count_cost, real_fft_flops
from htdemucs_n.profiling.fresh_process import in_fresh_process
from htdemucs_n.profiling.lengths import LengthMeasurement, measure_lengths
from htdemucs_n.profiling.parts import REST, Meter, parameters_by_part, parts_of
from htdemucs_n.profiling.passes import Settings
from htdemucs_n.profiling.picture import save_picture
from htdemucs_n.profiling.profile import profile_model
from htdemucs_n.profiling.profiled_model import ProfiledModel
from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import command_line, describe_machine
from models_helpers import TINY, noise, tiny_model

CPU = Settings("cpu", "fp32", threads=1)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model on the disk: its processes find it there."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, tiny_model(), {})
    return path


class Layers(nn.Module):
    """Two parts and something between them that neither holds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 6, 5, stride=3)
        self.linear = nn.Linear(6, 7)
        self.register_buffer("matrix", torch.ones(7, 3))

    def forward(self, x: Tensor) -> Tensor:
        """`(B, 2, T)` to `(B, n, 3)`."""
        return self.linear(self.conv(x).transpose(1, 2)) @ self.get_buffer("matrix")


def test_flops_are_those_of_the_formulas() -> None:
    samples = 302
    frames = (samples - 5) // 3 + 1
    cost = count_cost(Layers(), samples)
    assert cost.parameters == {"conv": 2 * 6 * 5 + 6, "linear": 6 * 7 + 7, REST: 0}
    assert cost.flops == {
        "conv": 2 * 2 * 6 * 5 * frames,
        "linear": 2 * 6 * 7 * frames,
        REST: 2 * 7 * 3 * frames,
    }
    assert cost.fft_flops == 0


def test_parameters_of_a_part_counted_by_hand() -> None:
    dim, inner, hidden = TINY["transformer_dim"], 2 * 8, 4 * TINY["transformer_dim"]
    attention = dim * 3 * inner + inner * dim + dim
    feed_forward = dim * hidden + hidden + hidden * dim + dim
    norms = 3 * 2 * dim
    position = 31 * dim + dim
    model = tiny_model()
    counts = parameters_by_part(model)
    assert counts["transformer"] == attention + feed_forward + norms + position
    assert sum(counts.values()) == sum(p.numel() for p in model.parameters())


def test_batch_norm_counts_though_it_is_folded_away() -> None:
    folded = prepare_for_inference(tiny_model())
    assert count_cost(folded, 22050).parameters == parameters_by_part(tiny_model())


def test_flops_of_the_transformer_by_formula() -> None:
    dim, inner = 16, 16
    tokens = 3 * 8  # a segment of 0.5 s is 3 times 8192 samples
    per_token = 2 * (dim * 3 * inner + inner * dim + 2 * dim * 4 * dim + 31 * dim)  # matrices, positions
    sums = 2 * tokens * 3 * inner * inner  # both heads side by side: phi(k)^T v, phi(q) times it, the normaliser
    assert count_cost(tiny_model().eval(), 22050).flops["transformer"] == tokens * per_token + sums


def test_ffts_are_counted_by_formula() -> None:
    frames = 24
    stfts = [(512, 8 * frames), (1024, 4 * frames), (2048, 2 * frames), (4096, frames), (4096, frames)]
    forward = sum(2 * count * real_fft_flops(size) for size, count in stfts)
    inverse = 4 * 2 * frames * real_fft_flops(4096)
    assert real_fft_flops(4096) == 2.5 * 4096 * 12
    assert count_cost(tiny_model().eval(), 22050).fft_flops == forward + inverse


def test_complex_ffts_count_twice() -> None:
    class Complex(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.ifft(torch.fft.fft(x.to(torch.complex64))).real

    assert count_cost(Complex(), 1024).fft_flops == 2 * 2 * 5 * 1024 * 10


def test_an_lstm_and_fused_attention_are_counted() -> None:
    class Sequence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(2, 3, bidirectional=True, batch_first=True)
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            y, _ = self.lstm(x.transpose(1, 2))
            return self.attention(y, y, y, need_weights=False)[0]

    flops = count_cost(Sequence().eval(), 50).flops
    assert flops["lstm"] == 50 * 2 * 2 * 4 * 3 * (2 + 3)
    assert flops["attention"] == 50 * 2 * 4 * 6 * 6 + 2 * 2 * 50 * 50 * 6


def test_the_meter_gives_nested_work_to_the_innermost_part_and_leaves_no_trace() -> None:
    model = tiny_model().eval()
    ticks = iter(range(10**9))
    meter = Meter(model, lambda: float(next(ticks)))
    before = {name: dict(module.__dict__) for name, module in model.named_modules()}
    with torch.no_grad(), meter.attached():
        model(noise(1, 2, 22050))
    assert {name: dict(module.__dict__) for name, module in model.named_modules()} == before
    assert all(total > 0 for total in meter.totals.values())
    assert meter.totals["STFTs and inverse STFT"] == 6 * 1  # 2 modules and the inverse of 4 stems
    assert sum(meter.totals.values()) == next(ticks) - 1


def test_every_module_of_the_model_belongs_to_a_part() -> None:
    for keys in ({}, {"lstm_layers": 1}, {"spectral_head": "none"}, {"fusion_method": "none"}):
        assert parameters_by_part(tiny_model(**keys))[REST] == 0


def test_the_official_architecture_has_its_parts() -> None:
    from demucs.htdemucs import HTDemucs

    sizes = {"channels": 8, "t_layers": 1, "t_heads": 2, "bottom_channels": 32, "segment": 1}
    member = HTDemucs(["drums", "bass", "other", "vocals"], **sizes)
    model = OfficialModel(member).eval()
    parts = parts_of(model)
    assert [len(parts[part]) for part in ("frequency encoder", "time encoder", "time decoder")] == [5, 4, 4]
    cost = count_cost(model, 44100)
    assert cost.parameters[REST] == 0
    assert sum(cost.parameters.values()) == sum(p.numel() for p in member.parameters())
    assert all(flops > 0 for part, flops in cost.flops.items() if part not in ("STFT and inverse STFT", REST))
    assert cost.flops[REST] == 0 and cost.fft_flops > 0


def _hold(mib: int) -> tuple[float, float, float]:
    before = rss_mib()
    block = torch.ones(mib * 2**18)
    held = rss_mib()
    del block
    peak = peak_rss_mib()
    assert before is not None and held is not None and peak is not None
    return before, held, peak


def _die() -> None:
    import os

    os._exit(9)


def _fail() -> None:
    raise UserError("one line")


@pytest.mark.skipif(peak_rss_mib() is None, reason="this system does not report it")
def test_the_peak_counts_a_known_allocation_and_not_this_process() -> None:
    mine = torch.ones(150 * 2**18)  # 150 MiB that the fresh process must not inherit
    before, held, peak = in_fresh_process(_hold, 60)
    assert held - before == pytest.approx(60, abs=10)
    assert peak - before == pytest.approx(60, abs=20)
    del mine


def test_a_fresh_process_brings_errors_back() -> None:
    with pytest.raises(UserError, match="one line"):
        in_fresh_process(_fail)
    with pytest.raises(MemoryError, match="killed"):
        in_fresh_process(_die)


def test_a_profile_of_a_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    profile = profile_model(ProfiledModel(str(checkpoint)), Settings("cpu", "fp32", batch=2, threads=1), repeats=2)
    assert (profile.device, profile.precision, profile.segment, profile.batch) == ("cpu", "fp32", 0.5, 2)
    assert set(profile.figures.seconds_by_part) == set(profile.cost.flops) == set(profile.cost.parameters)
    assert len(profile.figures.all_seconds) == 2
    assert profile.real_time_factor == pytest.approx(2 * 0.5 * 0.75 / profile.figures.seconds, rel=1e-3)
    assert profile.figures.loaded_mib is None or profile.figures.loaded_mib <= (profile.figures.peak_rss_mib or 0)


def test_time_of_a_part_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model().eval()
    forward = model.transformer.forward

    def slow(x: Tensor) -> Tensor:
        time.sleep(0.2)
        return forward(x)

    monkeypatch.setattr(model.transformer, "forward", slow)
    meter = Meter(model, time.perf_counter)
    with torch.no_grad(), meter.attached():
        model(noise(1, 2, 22050))
    assert 0.2 <= meter.totals["transformer"] < 0.2 + sum(meter.totals.values()) - meter.totals["transformer"] + 0.1


def test_softmax_attention_and_its_matrix_form_are_the_same_function() -> None:
    torch.manual_seed(0)
    one, other = SoftmaxAttention(16, 2, 8), MatrixAttention(16, 2, 8)
    other.load_state_dict(one.state_dict())
    x = noise(2, 11, 16)
    torch.testing.assert_close(one(x), other(x))
    assert sum(p.numel() for p in one.parameters()) == sum(p.numel() for p in KINDS["linear"](16, 2, 8).parameters())


def test_attention_that_does_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("htdemucs_n.profiling.attention.KINDS", {"softmax, N x N matrix": MatrixAttention})
    small, large = measure_attention(CPU, [1000, 4_000_000], 1, lambda: None)
    assert small.seconds is not None and small.seconds > 0
    assert small.mib is None or small.mib > 30  # a matrix a head: 8 x 1000 x 1000 x 4 bytes
    assert large.seconds is None and large.note == "needs 953674 GiB"


def test_scaling_curves_and_their_records(checkpoint: Path, tmp_path: Path) -> None:
    steps: list[int] = []
    lengths = measure_lengths(ProfiledModel(str(checkpoint)), CPU, [0.6, 1.5], lambda: steps.append(1))
    write_record(tmp_path / "a.json", describe_machine(1), lengths=lengths, attention=[])
    record = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert {"date", "cpu", "cores", "threads", "torch", "htdemucs-n", "command"} <= set(record)
    assert "attention" not in record and len(steps) == 2
    assert [row["length"] for row in record["lengths"]] == [0.6, 1.5]
    assert set(record["lengths"][0]) == {"model", "length", "seconds", "peak_rss_mib", "gpu_mib", "note"}
    assert all(row["seconds"] > 0 for row in record["lengths"])


def test_the_record_and_the_picture_hold_what_could_not_be_measured(tmp_path: Path) -> None:
    lengths = [LengthMeasurement("a", 30.0, 1.0, 500.0, None), LengthMeasurement("a", 60.0, None, None, None, "killed")]
    attention = [AttentionMeasurement(kind, n, n * 1e-5, n / 100) for kind in KINDS for n in (1000, 2000)]
    attention.append(AttentionMeasurement("softmax, N x N matrix", 64_000, None, None, "needs 244 GiB"))
    save_picture(tmp_path / "a.png", (), lengths, attention)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    write_record(tmp_path / "a.json", {}, lengths=lengths, attention=attention)
    assert json.loads((tmp_path / "a.json").read_text())["attention"][-1]["note"] == "needs 244 GiB"


def test_a_command_line_names_no_folder_of_the_machine() -> None:
    assert command_line(["/opt/env/bin/htdemucs-n", "profile", "--json", "/data/a b.json"]) == (
        "htdemucs-n profile --json 'a b.json'"
    )
    script = Path("benchmarks/speed.py").absolute()
    assert command_line([str(script), "--lengths", "30"]) == "python benchmarks/speed.py --lengths 30"
    assert command_line(["/x/htdemucs_n/__main__.py", "profile"]) == "htdemucs-n profile"


def test_an_unknown_preset_is_not_taken_for_official() -> None:
    with pytest.raises(UserError, match=r"unknown preset 'offical': did you mean 'official'\?"):
        ProfiledModel("offical", untrained=True).build()


def test_figures_end_where_memory_ends(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise MemoryError("the process was killed")

    monkeypatch.setattr("htdemucs_n.profiling.profile.measure_passes", killed)
    with pytest.raises(UserError, match="smaller --segment or --batch"):
        profile_model(ProfiledModel(str(checkpoint)), CPU)
    monkeypatch.setattr("htdemucs_n.profiling.lengths.in_fresh_process", killed)
    (row,) = measure_lengths(ProfiledModel(str(checkpoint)), CPU, [1.0], lambda: None)
    assert row.seconds is None and "killed" in row.note
