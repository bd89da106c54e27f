"""Everything once, on songs made from code: make a dataset, train on it for about a minute, evaluate, separate.

    python scripts/first_model.py [FOLDER]

No data, no network, no GPU. The model that comes out has heard ten songs for a minute: it shows how the parts fit, not
how well they work. The same four commands on real songs are the real thing.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from htdemucs_n.audio import write_wav
from htdemucs_n.demo.effects import SAMPLE_RATE
from htdemucs_n.demo.song import make_song

_TRAIN, _VALID = range(8), range(8, 10)
_SECONDS = 12.0


def main() -> None:
    """Run the steps; stop at the first that fails, with its exit status."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "first_model")
    for split, seeds in (("train", _TRAIN), ("valid", _VALID)):
        for seed in seeds:
            for stem, track in make_song(seed, _SECONDS).items():
                write_wav(folder / split / f"song {seed}" / f"{stem}.wav", track, SAMPLE_RATE)
    tracks = make_song(_VALID[0], _SECONDS).values()
    write_wav(folder / "song.wav", np.sum(list(tracks), axis=0), SAMPLE_RATE)

    best = folder / "run" / "best.safetensors"
    _run("data", "check", str(folder / "train"))
    _run(
        "train",
        "preset=small",
        f"dset.train=['{folder}/train']",
        f"dset.valid=['{folder}/valid']",
        "solver.epochs=2",
        "solver.epoch_steps=30",
        "solver.warmup_steps=10",
        f"misc.out='{folder}/run'",
    )
    _run("evaluate", str(folder / "valid"), "-n", str(best), "-o", str(folder / "scores"))
    _run("separate", str(folder / "song.wav"), "-n", str(best), "-o", str(folder / "separated"))


def _run(*arguments: str) -> None:
    print("\n$ htdemucs-n", *arguments, flush=True)
    status = subprocess.run([sys.executable, "-m", "htdemucs_n", *arguments], check=False).returncode
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
