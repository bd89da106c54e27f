"""Official models: refused in one line without `demucs` or without trust; the same stems as `demucs` itself with it."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file
from torch import nn

from htdemucs_n.cli.main import main
from htdemucs_n.errors import UserError
from htdemucs_n.models.official import OfficialModel
from htdemucs_n.models.registry import load_model
from htdemucs_n.separation import Separator


@pytest.mark.parametrize("name", ["htdemucs", "htdemucs_ft", "htdemucs_6s"])
def test_without_the_package_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for module in [key for key in sys.modules if key.split(".")[0] == "demucs"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "demucs", None)
    with pytest.raises(UserError, match=r'pip install "htdemucs-n\[official\]"'):
        load_model(name)


def test_a_pickle_is_not_opened_without_trust(tmp_path: Path) -> None:
    """Opening this one would make a file."""

    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"klass": Trap()}, tmp_path / "a.th")
    with pytest.raises(UserError, match="--trust-checkpoint"):
        load_model(tmp_path / "a.th")
    assert not (tmp_path / "sprung").exists()


def test_a_safetensors_file_builds_no_class_but_demucs_own(tmp_path: Path) -> None:
    header = {"klass": "subprocess.Popen", "args": '[["touch", "sprung"]]', "kwargs": "{}"}
    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors", header)
    with pytest.raises(UserError, match=r"unknown class subprocess\.Popen"):
        load_model(tmp_path / "a.safetensors")


def tiny() -> nn.Module:
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(0)
    sizes = {"channels": 8, "t_layers": 1, "t_heads": 2, "bottom_channels": 32, "segment": Fraction(1, 1)}
    model: nn.Module = HTDemucs(["drums", "bass", "other", "vocals"], **sizes).eval()
    return model


def save(model: Any, path: Path) -> None:
    """As the official project writes them."""
    args, kwargs = model._init_args_kwargs
    if path.suffix == ".th":
        torch.save({"klass": type(model), "args": args, "kwargs": kwargs, "state": model.state_dict()}, path)
        return

    def plain(value: Any) -> Any:
        fraction = isinstance(value, Fraction)
        return (
            {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator} if fraction else value
        )

    header = {"klass": "demucs.htdemucs.HTDemucs", "args": json.dumps(list(args)),
              "kwargs": json.dumps({key: plain(value) for key, value in kwargs.items()})}  # fmt: skip
    save_file({key: tensor.contiguous() for key, tensor in model.state_dict().items()}, path, header)


@pytest.mark.parametrize("suffix", [".th", ".safetensors"])
def test_a_local_file_gives_the_stems_of_demucs(tmp_path: Path, suffix: str) -> None:
    """Until the last segment, which `demucs` pads and we move back to end with the song."""
    model = tiny()
    from demucs.apply import apply_model

    save(model, tmp_path / f"a{suffix}")
    mixture = torch.randn(2, 44100 * 3, generator=torch.Generator().manual_seed(0)) / 10
    mixture -= mixture.mean()
    ours = Separator(load_model(tmp_path / f"a{suffix}", trusted=True), device="cpu").separate(mixture, 44100)
    theirs = apply_model(model, mixture[None], shifts=0, overlap=0.25)[0]
    theirs = theirs + (mixture - theirs.sum(0)) / 4  # ours add up
    error = (torch.stack(list(ours.values())) - theirs)[..., : 2 * 33075]
    assert float(error.abs().max()) < 1e-3 * float(theirs.abs().max())


def test_a_segment_beyond_the_models() -> None:
    model = OfficialModel(tiny())
    with pytest.raises(UserError, match="1 seconds at most"):
        Separator(model, segment=2.0)


@pytest.mark.parametrize("verb", ["separate song", "evaluate songs --metrics si --no-report", "profile --repeats 1"])
def test_every_command_opens_a_pickle_with_trust_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("htdemucs_n.memory.keep_freed_memory", lambda **_: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    save(tiny(), tmp_path / "a.th")
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (44100, 2))
    for path in ("song/song.wav", "songs/one/bass.wav", "songs/one/vocals.wav"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise, 44100)
    for trust, code in (([], 1), (["--trust-checkpoint"], 0)):
        monkeypatch.setattr(sys, "argv", ["htdemucs-n", *verb.split(), "-n", "a.th", "-d", "cpu", *trust])
        with pytest.raises(SystemExit) as caught:
            main()
        assert int(caught.value.code or 0) == code
        assert ("--trust-checkpoint" in capsys.readouterr().err) == (not trust)
