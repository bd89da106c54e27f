"""Run every step once on the demo song: make a dataset, train on it for about a minute, evaluate, separate.

    python scripts/first_model.py [FOLDER]

It needs no data, no connection and no GPU. The model is trained on eight seconds of music for a minute, which shows how
the commands work together and not how good the results are. The same commands train a useful model on your own songs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from htdemucs_n.audio import write_wav
from htdemucs_n.demo import demo_song

_PIECES = {"train": range(4), "valid": range(4, 6)}
"""Pieces of the demo song, two seconds each."""


def main() -> None:
    """Run the steps, and stop at the first that fails with its exit status."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "first_model")
    song = demo_song()
    rate = song["drums"].sample_rate
    for split, pieces in _PIECES.items():
        for piece in pieces:
            for stem, audio in song.items():
                samples = audio.samples[:, 2 * piece * rate : 2 * (piece + 1) * rate]
                write_wav(folder / split / f"song {piece}" / f"{stem}.wav", samples, rate)
    write_wav(folder / "song.wav", np.sum([audio.samples for audio in song.values()], axis=0), rate)

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
