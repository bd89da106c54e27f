"""The way from a name or a network to a `Separator`: segments, defaults of torch that others changed, arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor
from typer.testing import CliRunner

from audio_helpers import SplitModel, tones
from htdemucs_n.cli.main import app
from htdemucs_n.errors import OptionError, UserError
from htdemucs_n.models.multi_resolution_stft import MultiResolutionSTFT
from htdemucs_n.models.registry import load_model
from htdemucs_n.models.storage import save_model
from htdemucs_n.separation import Separator
from models_helpers import noise, tiny_model


@pytest.fixture
def lengths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Samples of every segment that reaches the network, with its padding."""
    passes: list[int] = []
    forward = MultiResolutionSTFT.forward

    def counted(self: MultiResolutionSTFT, audio: Tensor) -> list[Tensor]:
        passes.append(audio.shape[-1])
        return forward(self, audio)

    monkeypatch.setattr(MultiResolutionSTFT, "forward", counted)
    return passes


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A checkpoint that was trained on 7.8 s."""
    save_model(tmp_path / "tiny.safetensors", tiny_model(segment=7.8, resunet_depth=4), {})
    return tmp_path / "tiny.safetensors"


def test_a_short_segment_of_the_command_is_not_padded(tmp_path: Path, trained: Path, lengths: list[int]) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, tones((440, 1000), 44100, 20.0).T, 44100)
    command = ["separate", str(song), "-n", str(trained), "-o", str(tmp_path), "-d", "cpu", "--segment", "2"]
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    assert lengths == [90_112] * 13  # 2 s rounded up to 8 * 1,024 samples; 7.8 s would be 344,064


def test_a_short_segment_of_a_loaded_model_is_not_padded(trained: Path, lengths: list[int]) -> None:
    model = load_model(trained)
    Separator(model, device="cpu", segment=2.0).separate(noise(2, 44100), 44100)
    Separator([model, model], device="cpu", segment=2.0).separate(noise(2, 44100), 44100)
    Separator(model, device="cpu").separate(noise(2, 44100), 44100)
    assert lengths == [90_112] * 3 + [344_064]
    assert model.segment == 7.8, "the model of the caller is as it was"


@pytest.mark.parametrize("segment", [1e7, 601.0, 0.0])
def test_a_segment_out_of_range(segment: float) -> None:
    with pytest.raises(OptionError, match="segment"):
        Separator(SplitModel(), segment=segment)


@pytest.fixture
def changed_defaults() -> Iterator[None]:
    """torch as another library may leave it: tensors are made in another type, and on no real device."""
    torch.set_default_dtype(torch.float16)
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)


def separated(trained: Path, mixture: np.ndarray) -> list[bytes]:
    separator = Separator([trained, trained], device="cpu", segment=0.5)
    assert {parameter.device.type for parameter in separator.engine.network.parameters()} == {"cpu"}  # type: ignore[attr-defined]
    stems = separator.separate(mixture, 48000)
    assert {(stem.dtype, stem.device.type) for stem in stems.values()} == {(torch.float32, "cpu")}
    return [stem.numpy().tobytes() for stem in stems.values()]


def test_the_defaults_of_torch_do_not_matter(trained: Path, request: pytest.FixtureRequest) -> None:
    mixture = tones((440, 1000), 48000, 1.0)
    expected = separated(trained, mixture)
    request.getfixturevalue("changed_defaults")
    assert separated(trained, mixture) == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_arrays_give_the_stems_of_tensors(dtype: type[np.generic]) -> None:
    samples = (100 * tones((440, 1000), 44100, 0.5)).astype(dtype)
    separator = Separator(SplitModel())
    from_array, from_tensor = (separator.separate(x, 44100) for x in (samples, torch.from_numpy(samples)))
    reversed_blocks = list(separator.stream([samples[:, ::-1]], 44100))
    for name, stem in from_array.items():
        assert torch.equal(stem, from_tensor[name])
    assert sum(block["bass"].shape[1] for block in reversed_blocks) == samples.shape[1]


def test_samples_by_channels_are_one_clear_line() -> None:
    with pytest.raises(ValueError, match=r"\(C, T\).*transpose \(44100, 2\)"):
        Separator(SplitModel()).separate(np.zeros((44100, 2), np.float32), 44100)


def test_no_model_at_all() -> None:
    with pytest.raises(UserError, match="weights"):
        Separator([])


def test_options_have_names() -> None:
    with pytest.raises(TypeError):
        Separator(SplitModel(), "cpu")  # type: ignore[misc]
