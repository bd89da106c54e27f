"""Models on disk and by name: exact round trips, and one clear line for every kind of bad file."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from htdemucs_n.cli.models import models
from htdemucs_n.errors import ModelError, UserError, suggestion
from htdemucs_n.models import names, registry, storage
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from htdemucs_n.models.storage import load_saved_model, save_model, save_tensors
from models_helpers import TINY, noise, randomise_batch_norm, tiny_model


def trained() -> HTDemucs_n:
    model = tiny_model(seed=3)
    randomise_batch_norm(model)
    return model.eval()


def refusal(path: Path | str, load: Any = load_saved_model) -> str:
    """The one line that `load` refuses `path` with."""
    with pytest.raises(UserError) as error:
        load(path)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_float32_comes_back_exactly(tmp_path: Path) -> None:
    model, path = trained(), tmp_path / "deep" / "folder" / "model.safetensors"
    save_model(path, model, {"songs": 12, "scores": {"drums": 6.5}})
    loaded, metadata = load_saved_model(path)
    assert loaded.config == model.config and not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert metadata["songs"] == 12 and metadata["scores"] == {"drums": 6.5}
    mixture = noise(1, 2, 5000)
    with torch.no_grad():
        assert torch.equal(loaded(mixture), model(mixture))


def test_half_precision_costs_half_a_unit_in_the_last_place(tmp_path: Path) -> None:
    model, path = trained(), tmp_path / "model.safetensors"
    save_model(path, model, {}, dtype=torch.float16)
    stored = load_file(path)
    assert {t.dtype for t in stored.values()} == {torch.float16, torch.int64}
    loaded, _ = load_saved_model(path)
    for name, tensor in model.state_dict().items():
        restored = loaded.state_dict()[name]
        assert restored.dtype == tensor.dtype
        # 11 significant bits, and steps of 2^-24 near zero.
        assert bool(((restored - tensor).abs() <= 2**-11 * tensor.abs() + 2**-25).all()), name
    mixture = noise(1, 2, 5000)
    with torch.no_grad():
        exact, rounded = model(mixture), loaded(mixture)
    assert float((rounded - exact).square().mean() / exact.square().mean()) < 1e-5  # 50 dB


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, trained(), {})
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    assert str(path) in refusal(path) and "fetch or train it again" in refusal(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.safetensors"
    text.write_text("these are my notes\n" * 50, encoding="utf-8")
    assert str(text) in refusal(text)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, foreign, {"format": "pt"})
    assert f"{foreign} is not a htdemucs_n checkpoint" in refusal(foreign)
    save_file({"weight": torch.zeros(3)}, foreign)
    assert f"{foreign} is not a htdemucs_n checkpoint" in refusal(foreign)
    assert str(tmp_path) in refusal(tmp_path)
    missing = tmp_path / "none.safetensors"
    assert f"no checkpoint at {missing}" in refusal(missing)


def test_a_file_without_a_config_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.safetensors"
    save_tensors(path, trained().state_dict(), {"step": 3})
    assert f"{path} contains no model config" in refusal(path)


@pytest.mark.parametrize("change", ["shape", "missing", "extra"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, change: str) -> None:
    path, model = tmp_path / "odd.safetensors", trained()
    tensors, name = dict(model.state_dict()), "time_encoder.to_tokens.bias"
    if change == "shape":
        tensors[name] = torch.zeros(3)
    elif change == "missing":
        del tensors[name]
    else:
        tensors["more.bias"] = torch.zeros(3)
    save_tensors(path, tensors, {"config": model.config.to_dict()})
    message = refusal(path)
    assert f"{path} does not fit this model" in message
    assert ("more.bias" if change == "extra" else name) in message


def test_the_message_on_other_weights_names_a_few_of_them(tmp_path: Path) -> None:
    path, model = tmp_path / "odd.safetensors", trained()
    tensors = dict(model.state_dict()) | {f"more.{number}.bias": torch.zeros(3) for number in range(400)}
    save_tensors(path, tensors, {"config": model.config.to_dict()})
    assert 'more.0.bias" and 399 more' in refusal(path)


class Bait:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.trace),))


@pytest.mark.parametrize("suffix", [".pt", ".th", ".safetensors"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_refused_and_never_unpickled(tmp_path: Path, suffix: str, zipped: bool) -> None:
    path, trace = tmp_path / f"model{suffix}", tmp_path / "trace"
    if zipped:
        torch.save({"state": Bait(trace)}, path)
    else:
        path.write_bytes(pickle.dumps(Bait(trace)))
    assert str(path) in refusal(path, registry.load_model)
    assert not trace.exists()
    if zipped:
        torch.load(io.BytesIO(path.read_bytes()), weights_only=False)
    else:
        pickle.loads(path.read_bytes())
    assert trace.exists(), "the bait works, so the check above can fail"


@pytest.mark.parametrize("where", ["save_file", "replace"])
def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, trained(), {})
    before = path.read_bytes()

    def full(tensors: Any, target: Any, *_: Any) -> None:
        if where == "save_file":
            Path(target).write_bytes(b"half a fi")
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "save_file":
        monkeypatch.setattr(storage, "save_file", full)
    else:
        for owner in (os, Path):
            monkeypatch.setattr(owner, "replace", full)
    with pytest.raises(UserError, match="No space left on device") as error:
        save_model(path, tiny_model(), {})
    assert str(path) in str(error.value)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert path.read_bytes() == before


def test_a_folder_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    path = tmp_path / "file" / "model.safetensors"
    assert str(path) in refusal(path, lambda p: save_model(p, trained(), {}))


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of two models."""
    folder = tmp_path / "weights"
    monkeypatch.setattr(names, "_WEIGHTS", folder)
    for name in ("small", "large"):
        save_model(folder / f"{name}.safetensors", trained(), {"name": name}, torch.float16)
    return folder


def test_models_by_name_and_by_path(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shipped.parent)
    assert names.available_models() == ["large", "small"]
    by_name, by_path = (
        registry.load_model("small"),
        registry.load_model(str(shipped / "small.safetensors")),
    )
    assert not by_name.training
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in by_name.modules())
    assert {p.dtype for p in by_name.parameters()} == {torch.float32}
    assert by_name.sources == ("drums", "bass", "other", "vocals")
    mixture = noise(1, 2, 5000)
    with torch.no_grad():
        reference = load_saved_model(shipped / "small.safetensors")[0](mixture)
        torch.testing.assert_close(by_name(mixture), reference, atol=2e-5, rtol=1e-4)
        assert torch.equal(by_name(mixture), by_path(mixture))


def test_an_unknown_name_gets_the_nearest_or_all(shipped: Path) -> None:
    assert "unknown model 'smal': did you mean 'small'?" in refusal("smal", registry.load_model)
    assert "known: large, small" in refusal("zzz", registry.load_model)
    assert "no checkpoint at runs" in refusal(Path("runs", "best.safetensors"), registry.load_model)


def test_a_foreign_config_names_the_file(tmp_path: Path) -> None:
    path, model = tmp_path / "newer.safetensors", trained()
    for config in ({**TINY, "chanels": 4}, {**TINY, "spectral_head": "wavelet"}, 5):
        save_tensors(path, model.state_dict(), {"config": config})
        assert str(path) in refusal(path)
    header = {"format": "htdemucs_n", "config": "{not json"}
    save_file(dict(model.state_dict()), path, header)
    assert str(path) in refusal(path)


def test_an_official_model_has_no_file_here() -> None:
    message = refusal("htdemucs", names.model_files)
    assert "'htdemucs' is an official model" in message and "did you mean" not in message
    assert "did you mean 'htdemucs'" not in suggestion("htdemucs", ["htdemucs", "other"])


def test_the_scores_are_those_of_the_model_card() -> None:
    for name in names.available_models():
        model = names.describe_model(name)
        rows = names.model_card(name).splitlines()
        row = next(line for line in rows if re.match(rf"\| (\*\*)?`{name}`(\*\*)? \| \d", line))
        assert row.split("|")[-2].strip(" *") == f"{model.sdr:.2f}"


def test_the_licences_of_code_and_weights_are_apart(capsys: pytest.CaptureFixture[str]) -> None:
    models(None, as_json=True)
    shipped = json.loads(capsys.readouterr().out)["shipped"]
    assert {model["code_licence"] for model in shipped} == {"MIT"}
    licences = {model["name"]: model["weights_licence"] for model in shipped}
    assert licences.pop("drumkit") == "CC BY-SA 4.0"
    assert all("research" in licence for licence in licences.values())
    models(None, as_json=False)
    assert "The code has the licence MIT." in capsys.readouterr().out


@pytest.mark.parametrize(("name", "data"), [("bands", "MUSDB18"), ("duo", "MIR-1K"), ("drumkit", "MuldjordKit")])
def test_the_command_shows_the_data_of_a_model(capsys: pytest.CaptureFixture[str], name: str, data: str) -> None:
    models(name)
    assert data in capsys.readouterr().out


def test_there_is_no_card_of_an_unknown_model() -> None:
    with pytest.raises(ModelError, match="no model 'band' is in the package: did you mean 'bands'"):
        names.model_card("band")


def test_the_weights_stay_small() -> None:
    folder = Path(registry.__file__).parent / "weights"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 24 * 2**20
    shipped = {name: names.describe_model(name) for name in names.available_models()}
    assert shipped["bands"].parameters <= 6e6 and shipped["bands"].mib < 12
    assert shipped["drumkit"].parameters <= 4e6 and shipped["drumkit"].mib < 8
