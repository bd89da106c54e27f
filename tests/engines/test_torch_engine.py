"""The engine of torch: segments, averages, tensors, memory, defaults of torch that others changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor
from typer.testing import CliRunner

from audio_helpers import SOURCES, tones
from htdemucs_n.cli.main import app
from htdemucs_n.engines.choose import load_engine
from htdemucs_n.errors import OptionError, UserError
from htdemucs_n.models.multi_resolution_stft import MultiResolutionSTFT
from htdemucs_n.models.registry import load_model
from htdemucs_n.models.storage import save_model
from htdemucs_n.separation import Separator
from models_helpers import SplitNetwork, noise, tiny_model


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


@pytest.mark.parametrize("segment", [1e7, 601.0, 0.0, -1.0, float("nan"), float("inf")])
def test_a_segment_out_of_range(segment: float) -> None:
    with pytest.raises(OptionError, match="segment"):
        Separator(SplitNetwork(), segment=segment)


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
    assert {stem.dtype for stem in stems.values()} == {np.dtype(np.float32)}
    return [stem.tobytes() for stem in stems.values()]


def test_the_defaults_of_torch_do_not_matter(trained: Path, request: pytest.FixtureRequest) -> None:
    mixture = tones((440, 1000), 48000, 1.0)
    expected = separated(trained, mixture)
    request.getfixturevalue("changed_defaults")
    assert separated(trained, mixture) == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int16, torch.bfloat16])
def test_tensors_get_the_stems_of_arrays_as_tensors(dtype: torch.dtype) -> None:
    mixture = (100 * torch.from_numpy(tones((440, 1000), 44100, 0.5))).to(dtype)
    separator = Separator(SplitNetwork(), device="cpu")
    from_tensor = separator.separate(mixture, 44100)
    from_array = separator.separate(mixture.float().numpy(), 44100)
    blocks = list(separator.stream(mixture.split(5000, dim=1), 44100))
    for name, stem in from_array.items():
        assert isinstance(stem, np.ndarray) and isinstance(from_tensor[name], torch.Tensor)
        assert np.array_equal(from_tensor[name].numpy(), stem)
        assert torch.equal(torch.cat([block[name] for block in blocks], dim=1), from_tensor[name])


def test_a_mixture_that_has_a_gradient_is_separated_without_it() -> None:
    mixture = torch.rand(2, 5000, requires_grad=True)
    stems = Separator(SplitNetwork(), device="cpu").separate(mixture, 44100)
    assert not any(stem.requires_grad for stem in stems.values())


def test_the_network_is_run_in_inference_mode() -> None:
    inputs: list[Tensor] = []

    class Spy(SplitNetwork):
        def forward(self, mixture: Tensor) -> Tensor:
            assert torch.is_inference_mode_enabled() and not self.training
            inputs.append(mixture)
            return super().forward(mixture)

    engine = load_engine(Spy().train(), device="cpu")
    mixture = tones((440, 660), 44100, 0.1)[None]
    stems = engine.separate(mixture)
    assert stems.dtype == np.float32 and stems.shape == (1, 4, 2, 4410)
    assert np.array_equal(inputs[0].numpy(), mixture)
    stems *= 2  # it may be overwritten


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
)
def test_memory_that_runs_out(error: Exception) -> None:
    class Huge(SplitNetwork):
        def forward(self, mixture: Tensor) -> Tensor:
            raise error

    engine = load_engine(Huge(), device="cpu")
    with pytest.raises(MemoryError, match="cpu"):
        engine.separate(np.zeros((1, 2, 9), np.float32))


def test_another_error_of_the_network_is_raised_as_it_is() -> None:
    class Broken(SplitNetwork):
        def forward(self, mixture: Tensor) -> Tensor:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        load_engine(Broken(), device="cpu").separate(np.zeros((1, 2, 9), np.float32))


@pytest.mark.parametrize("device", ["toaster", "cuda:99"])
def test_a_device_that_is_not_here(device: str) -> None:
    with pytest.raises(UserError, match=f"device '{device}'"):
        Separator(SplitNetwork(), device=device)


def test_models_are_averaged_by_their_weights() -> None:
    mixture = np.random.default_rng(0).uniform(-1, 1, (2, 20000)).astype(np.float32)
    pair = [tiny_model(seed=1).eval(), tiny_model(seed=2).eval()]
    first, second = (Separator(model, device="cpu", precision="fp32").separate(mixture, 44100) for model in pair)
    both = Separator(pair, weights=[3, 1], device="cpu", precision="fp32").separate(mixture, 44100)
    equal = Separator(pair, device="cpu", precision="fp32").separate(mixture, 44100)
    for name in SOURCES:
        np.testing.assert_allclose(both[name], 0.75 * first[name] + 0.25 * second[name], rtol=0, atol=1e-5)
        np.testing.assert_allclose(equal[name], 0.5 * first[name] + 0.5 * second[name], rtol=0, atol=1e-5)


def test_models_that_cannot_be_averaged() -> None:
    other = SplitNetwork()
    other.samplerate = 48000
    with pytest.raises(UserError, match="sample rate"):
        Separator([SplitNetwork(), other])
    for weights in ([1.0], [-1.0, 2.0], [0.0, 0.0], [float("nan"), 1.0]):
        with pytest.raises(UserError, match="weights"):
            Separator([SplitNetwork(), SplitNetwork()], weights=weights)


def test_a_shorter_segment_is_less_work_for_the_model(tmp_path: Path) -> None:
    """Trained on 1 s, with the option of 0.1 s: no more than that, rounded up to whole frames, reaches the networks."""
    model = tiny_model(segment=1.0)
    save_model(tmp_path / "tiny.safetensors", model, {})
    longest = {}
    for segment in (None, 0.1):
        separator = Separator(tmp_path / "tiny.safetensors", segment=segment)
        lengths: list[int] = []
        separator.engine.network.stft.register_forward_pre_hook(
            lambda _, audio, to=lengths: to.append(audio[0].shape[-1])
        )
        separator.separate(noise(2, 44100), 44100)
        longest[segment] = max(lengths)
    frame = 1024 * model.config.frame_multiple
    assert longest == {None: -(-44100 // frame) * frame, 0.1: -(-4410 // frame) * frame}


def test_no_model_at_all() -> None:
    with pytest.raises(UserError, match="no model is named"):
        Separator([])


def test_options_have_names() -> None:
    with pytest.raises(TypeError):
        Separator(SplitNetwork(), "cpu")  # type: ignore[misc]
