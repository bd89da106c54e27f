"""Signals that many tests share."""

from __future__ import annotations

import os
import sys

# Before torch starts its threads: two workers of pytest-xdist with two threads each wait for each other on two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from torch import Tensor

from htdemucs_n.demo import demo_song


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in the folders of the service and of catalogues."""
    for item in items:
        for folder, marker in (("service", "service"), ("catalogue", "cluster")):
            if item.path.parent.name == folder:
                item.add_marker(marker)


@pytest.fixture(scope="session")
def demo_stems() -> dict[str, Tensor]:
    """The twelve seconds of the demo in stems, `(2, T)` each at 44.1 kHz: a real song that no model was trained on."""
    return {stem: torch.from_numpy(audio.samples) for stem, audio in demo_song().items()}


@pytest.fixture(autouse=True)
def without_openvino_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` chooses as where only the core of the package is installed; tests name the engine openvino."""
    monkeypatch.setattr("htdemucs_n.engines.choose.ON_THE_CPU", {"onnx": ("fp32",)})


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept between runs of the package goes to a folder of the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the package matplotlib is not installed."""
    for name in ["matplotlib", *(name for name in sys.modules if name.startswith("matplotlib."))]:
        monkeypatch.setitem(sys.modules, name, None)
