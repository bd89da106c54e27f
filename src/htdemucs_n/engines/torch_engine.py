"""PyTorch as an engine: from names or networks to a model on its device, in its precision, for its segment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from htdemucs_n.engines.device import PRECISIONS, choose_device, choose_precision
from htdemucs_n.engines.engine import EngineOptions, ran_out_of_memory
from htdemucs_n.engines.sources import ModelSource, SeparationModel
from htdemucs_n.errors import OptionError
from htdemucs_n.models.ensemble import Ensemble, with_segment
from htdemucs_n.models.folding import reduce_weights
from htdemucs_n.openmp import check_openmp


class TorchEngine:
    """An `Engine` that runs `network`, which is in evaluation mode on `device`, under autocast to `precision`."""

    name = "torch"

    def __init__(self, network: SeparationModel, device: torch.device, precision: str) -> None:
        self.network = network
        self.device, self.precision = str(device), precision
        self.sources: tuple[str, ...] = tuple(network.sources)
        self.samplerate = int(network.samplerate)
        self.segment, self.overlap = float(network.segment), float(network.overlap)
        self.batch = 1 if device.type == "cpu" else 4
        self._device = device

    def separate(self, mixture: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `Engine`."""
        dtype = PRECISIONS[self.precision]
        try:
            with torch.inference_mode(), torch.autocast(self._device.type, dtype, dtype != torch.float32):
                stems: Tensor = self.network(torch.from_numpy(mixture).to(self._device))
                return stems.float().cpu().numpy()
        except (MemoryError, RuntimeError) as error:
            if not (isinstance(error, torch.cuda.OutOfMemoryError) or ran_out_of_memory(error)):
                raise
        if self._device.type == "cuda":  # not before: the error held what the model had computed
            torch.cuda.empty_cache()
        raise MemoryError(f"not enough memory on {self.device}")


def load_torch_engine(options: EngineOptions) -> TorchEngine:
    """As `htdemucs_n.engines.choose.Loader`; `threads` is torch's setting, for the whole process.

    The weights of networks that are loaded here are rounded to the precision. A network that is passed in is moved to
    the device and put into evaluation mode; its weights and its segment stay as they are.
    """
    sources, precision, segment = options.sources, options.precision, options.segment
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    chosen = choose_device(options.device)
    if chosen.type == "cpu":
        check_openmp(torch.get_num_threads())
    networks: list[Any] = [_load(source, options.trusted) if _is_name(source) else source for source in sources]
    network = networks[0]
    if len(networks) > 1:
        network = Ensemble(networks, [[weight] * len(network.sources) for weight in options.weights])
    longest = getattr(network, "max_segment", float("inf"))  # of the official transformers
    if segment is not None:
        if segment > longest:
            raise OptionError(f"segment is {segment:g}: this model takes {longest:g} seconds at most")
        network = with_segment(network, segment)
    if precision == "auto" and getattr(network, "full_precision", False):
        precision = "fp32"
    precision = choose_precision(precision, chosen)
    network = network.to(chosen).eval()
    for loaded, source in zip(networks, sources, strict=True):
        if _is_name(source):
            reduce_weights(loaded, PRECISIONS[precision])
    return TorchEngine(network, chosen, precision)


def _is_name(source: ModelSource) -> bool:
    return source is None or isinstance(source, str | Path)


def _load(name: Any, trusted: bool) -> Any:
    from htdemucs_n.models.names import DEFAULT_MODEL
    from htdemucs_n.models.registry import load_model  # not needed to run a network of one's own

    return load_model(DEFAULT_MODEL if name is None else name, trusted)
