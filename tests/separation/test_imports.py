"""Separating a song loads nothing that only training, scores, pictures or a compiler need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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

SCRIPT = """
import json, sys
import torch
alone = set(sys.modules)
from htdemucs_n.cli.main import main
sys.argv = ["htdemucs-n", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    assert not ended.code
print(json.dumps([sorted(set(sys.modules) - alone), sorted(alone)]))
"""


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


def test_a_separation_loads_only_what_it_needs(tmp_path: Path) -> None:
    save_model(tmp_path / "tiny.safetensors", tiny_model(), {})
    soundfile.write(tmp_path / "song.wav", tones((440, 1000), 44100, 0.5).T, 44100)
    command = ["separate", f"{tmp_path}/song.wav", "-n", f"{tmp_path}/tiny.safetensors", "-o", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *command], capture_output=True, text=True, check=True)
    loaded, with_torch = json.loads(done.stdout.splitlines()[-1])
    packages = {".".join(name.split(".")[:depth]) for name in loaded for depth in (1, 2, 3)}
    assert not FORBIDDEN & packages
    assert not [name for name in loaded if name.startswith("torch.") and "distributed" in name]
    assert not {"scipy", "sympy", "torch._dynamo", "torch._inductor"} & set(with_torch)
