"""Separating a song loads nothing that only training, scores, pictures or a compiler need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from audio_helpers import tones
from htdemucs_n.models.storage import save_model
from models_helpers import tiny_model

FORBIDDEN = {
    "av",  # WAV files need no FFmpeg
    "demucs",
    "hydra",
    "IPython",
    "matplotlib",
    "mpmath",
    "museval",
    "networkx",
    "omegaconf",
    "pandas",
    "scipy",
    "sympy",
    "tensorboard",
    "torch._dynamo",
    "torch._inductor",
    "torch.utils.tensorboard",
    "htdemucs_n.demo",
    "htdemucs_n.evaluation",
    "htdemucs_n.profiling",
    "htdemucs_n.training",
}

SEPARATION = {
    "_cffi_backend",
    "_soundfile",
    "_soundfile_data",
    "filelock",
    "htdemucs_n",
    "numpy",
    "onnxruntime",
    "rich",
    "soundfile",
    "soxr",
}
"""The packages that the separation of a WAV file by a shipped model may import, the command line apart."""

COMMAND_LINE = {
    "annotated_doc",
    "annotated_types",
    "click",
    "pydantic",
    "pydantic_core",
    "shellingham",
    "typer",
    "typing_extensions",
    "typing_inspection",
}
"""Typer and what it needs in turn, in all its versions."""

SCRIPT = """
import json, sys
{before}
alone = set(sys.modules)
from htdemucs_n.cli.main import main
sys.argv = ["htdemucs-n", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    assert not ended.code
modules = {{name for name, module in sys.modules.items() if module}}  # a name without a module cannot be imported
print(json.dumps([sorted(modules - alone), sorted(alone)]))
"""


def loaded(*command: str, before: str = "") -> tuple[list[str], list[str]]:
    """The modules that `htdemucs-n` imports, and those that were there already, after the statement `before`."""
    code = SCRIPT.format(before=before)
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    by_command, already = json.loads(done.stdout.splitlines()[-1])
    return by_command, already


def packages(modules: list[str]) -> set[str]:
    """The packages of modules, without those of Python itself."""
    names = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    return {name for name in names if not name.startswith("_sysconfigdata")}  # named after the system


LIBRARY = """
import sys
for name in {forbidden!r}:
    sys.modules[name] = None  # an import raises ImportError
import htdemucs_n
assert "numpy" not in sys.modules, "the bare package loads nothing"
sys.path.insert(0, {tests!r})
from pathlib import Path
from audio_helpers import SplitEngine, SOURCES, tones
from htdemucs_n.separation import Output, StemChoice, separate_track
separator = htdemucs_n.Separator(SplitEngine())
stems = separator.separate(tones((440, 1000), 48000), 48000)
list(separator.stream([tones((440, 1000), 44100)], 44100))
separator.separate_file("song.wav")
files = {{name: Path("out") / f"{{name}}.wav" for name in SOURCES}}
separate_track(Path("song.wav"), files, separator, StemChoice(SOURCES), Output())
assert type(stems["bass"]).__module__ == "numpy"
"""


def test_a_separation_by_another_engine_needs_no_torch(tmp_path: Path) -> None:
    """Nor anything else that only training, scores and pictures need."""
    soundfile.write(tmp_path / "song.wav", tones((440, 1000), 44100, 0.5).T, 44100)
    forbidden = ["torch", "safetensors", "scipy", "matplotlib", "hydra", "omegaconf", "museval", "tensorboard"]
    code = LIBRARY.format(forbidden=forbidden, tests=str(Path(__file__).parents[1]))
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / "out" / "bass.wav").exists()


def test_a_separation_with_torch_loads_only_what_it_needs(tmp_path: Path) -> None:
    save_model(tmp_path / "tiny.safetensors", tiny_model(), {})
    soundfile.write(tmp_path / "song.wav", tones((440, 1000), 44100, 0.5).T, 44100)
    command = ["separate", f"{tmp_path}/song.wav", "-n", f"{tmp_path}/tiny.safetensors", "-o", str(tmp_path)]
    modules, with_torch = loaded(*command, before="import torch")
    parts = {".".join(name.split(".")[:depth]) for name in modules for depth in (1, 2, 3)}
    assert not FORBIDDEN & parts
    assert not [name for name in modules if name.startswith("torch.") and "distributed" in name]
    assert not {"scipy", "sympy", "torch._dynamo", "torch._inductor"} & set(with_torch)


def test_a_separation_of_a_wav_file_loads_only_what_it_needs(tmp_path: Path) -> None:
    """No PyAV, which loads all of FFmpeg, and nothing of this package that is for other verbs."""
    soundfile.write(tmp_path / "song.wav", tones((440, 1000), 44100, 0.5).T, 44100)
    modules, _ = loaded("separate", f"{tmp_path}/song.wav", "-n", "bands", "--engine", "onnx", "-o", str(tmp_path))
    assert packages(modules) <= SEPARATION | COMMAND_LINE
    assert {"numpy", "onnxruntime", "soundfile"} <= packages(modules)
    ours = {name.split(".")[1] for name in modules if name.startswith("htdemucs_n.")}
    assert not {"datasets", "demo", "evaluation", "export", "profiling", "training"} & ours
    assert (tmp_path / "bands" / "song" / "drums.wav").exists()


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_loads_nothing_heavy(option: str) -> None:
    modules, _ = loaded(option)
    assert packages(modules) <= {"htdemucs_n"} | COMMAND_LINE - {"pydantic", "pydantic_core"}
