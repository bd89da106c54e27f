"""The interface of encoders."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Encoder(Protocol):
    """Turns blocks into the bytes of a file."""

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append a block `(C, n)`."""

    def close(self) -> None:
        """Finish the bytes; the file itself stays open."""
