"""Put a trained checkpoint into the package, in 8 bits.

    python scripts/ship.py runs/small/best.safetensors small

It writes `src/htdemucs_n/models/weights/<name>.safetensors`, with the licence of the weights in its header (`--licence`
where it is not that of the other models), the address of a page with those who have to be named (`--authors`), and the
score of each stem (`--scores vocals=5.3 bass=4.1 ...`, dB) where it is not that of the checkpoint. Afterwards,

1. write the graph: `htdemucs-n export <name> -o src/htdemucs_n/models/weights/<name>.onnx --beside`;
2. score this file and the checkpoint with `benchmarks/quality.py`, and write both figures into the model card in the
   same folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from htdemucs_n.models.names import LICENCE_OF_WEIGHTS
from htdemucs_n.models.storage import load_saved_model, save_model

WEIGHTS = Path(__file__).parents[1] / "src" / "htdemucs_n" / "models" / "weights"


def main() -> None:
    """Convert the checkpoint, and print the path and size of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("name")
    parser.add_argument("--licence", default=LICENCE_OF_WEIGHTS)
    parser.add_argument("--authors", metavar="URL")
    parser.add_argument("--scores", nargs="*", default=[], metavar="STEM=DB")
    arguments = parser.parse_args()
    model, metadata = load_saved_model(arguments.checkpoint)
    path = WEIGHTS / f"{arguments.name}.safetensors"
    facts = {**metadata, "licence": arguments.licence}
    progress = facts.pop("progress", None)  # of last.safetensors
    if progress:
        facts.setdefault("step", progress["step"])
    if arguments.authors:
        facts["authors"] = arguments.authors
    if arguments.scores:
        facts["sdr_db"] = {stem: float(score) for stem, _, score in (text.partition("=") for text in arguments.scores)}
    save_model(path, model, facts, torch.int8)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
