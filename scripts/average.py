"""Average the weights of checkpoints, set the batch-norm statistics on training songs, score, and write the model.

    python scripts/average.py OUT.safetensors A.safetensors B.safetensors ... [key=value ...]

Checkpoints are `best.safetensors` or `last.safetensors` of runs, or shipped weights, of one model. Keys are those of
`htdemucs-n train`: `dset.train` has the songs that set the statistics, `dset.valid` those that are scored.
"""

from __future__ import annotations

import sys
from pathlib import Path

from htdemucs_n.cli.train import compose_config
from htdemucs_n.errors import UserError
from htdemucs_n.models.storage import save_model
from htdemucs_n.training.average import mean_model
from htdemucs_n.training.calibrate import calibrate, calibration_batches
from htdemucs_n.training.data import load_data
from htdemucs_n.training.validate import validate


def main() -> None:
    """Average, print the score, write."""
    keys = [argument for argument in sys.argv[1:] if "=" in argument]
    files = [Path(argument) for argument in sys.argv[1:] if "=" not in argument]
    if len(files) < 3:
        sys.exit(__doc__)
    try:
        model = mean_model(files[1:])
        config = compose_config("n_train", keys)
        bank, valid = load_data(config)
        calibrate(model, calibration_batches(config, bank), config.solver.calibration_batches)
        scores = {name: round(score, 3) for name, score in validate(model, valid).items()} if valid else {}
        save_model(files[0], model, {"mean_of": [file.name for file in files[1:]], "sdr": scores})
    except UserError as error:
        sys.exit(f"error: {error}")
    print(f"{files[0]}: {scores}")


if __name__ == "__main__":
    main()
