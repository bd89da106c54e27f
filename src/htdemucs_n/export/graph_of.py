"""From the name of a model, or the path of a checkpoint, to the graph that is exported."""

from __future__ import annotations

from pathlib import Path

from htdemucs_n.export.graph import Graph, network_graph
from htdemucs_n.export.official_graph import OfficialGraph
from htdemucs_n.models.names import OFFICIAL_MODELS, available_models, weights_path
from htdemucs_n.models.official import is_official_file, load_official, load_official_file
from htdemucs_n.models.storage import load_saved_model

_FACTS = ("step", "sdr", "sdr_db", "licence", "authors", "mean_of")
"""What a checkpoint says that its ONNX file says too."""


def graph_of(name_or_path: str, trusted: bool = False) -> Graph:
    """The graph of a model; `trusted` allows a pickled official checkpoint, which could run any code.

    Raises:
        UserError: an unknown name, a bad checkpoint, an ensemble, or a network that cannot be exported.
    """
    if name_or_path in OFFICIAL_MODELS and name_or_path not in available_models():
        return OfficialGraph(load_official(name_or_path), {"name": name_or_path})
    path = weights_path(name_or_path)
    if is_official_file(path):
        return OfficialGraph(load_official_file(path, trusted), {"name": path.stem})
    network, metadata = load_saved_model(path)  # batch norms stay, since their weights keep their names in the file
    facts = {key: metadata[key] for key in _FACTS if key in metadata}
    return network_graph(network, {"name": Path(path).stem, **facts})
