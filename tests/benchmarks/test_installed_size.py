"""The size of an installation against packages of known sizes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from installed_size import Installed, installed_mib, measure

KIB = 1024


def install(site: Path, name: str, size: int, *requires: str) -> None:
    """A package with one module of `size` bytes, as pip leaves it, but for the size of what describes it."""
    (site / f"{name}.py").write_bytes(b"#" * size)
    folder = site / f"{name.replace('-', '_')}-1.0.dist-info"
    folder.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {line}" for line in requires)]
    (folder / "METADATA").write_text("\n".join(lines) + "\n")
    (folder / "RECORD").write_text(f"{name}.py,,\n{name}/missing.py,,\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_package_counts_with_all_that_it_requires_here_and_each_once(site: Path) -> None:
    install(
        site,
        "sized-song",
        512 * KIB,
        "sized-wave>=1",
        'sized-absent; python_version < "3"',
        'sized-fast; extra == "fast"',
    )
    install(site, "sized-wave", 256 * KIB, "sized-song")  # a circle
    install(site, "sized-fast", 1024 * KIB, "sized-wave")
    assert measure(["sized-song", "sized-song[fast]", "Sized_Wave"]) == [
        Installed("sized-song", 2, 0.75),
        Installed("sized-song[fast]", 3, 1.75),
        Installed("Sized_Wave", 2, 0.75),
    ]


def test_the_trained_weights_are_not_counted() -> None:
    """An editable installation and one from a wheel have the same modules and none of the weights."""
    import htdemucs_n

    package = Path(htdemucs_n.__file__).parent
    weights = sum(path.stat().st_size for path in (package / "models" / "weights").rglob("*")) / 2**20
    (row,) = measure(["htdemucs-n"])
    assert weights > 10
    modules = sum(path.stat().st_size for path in package.rglob("*") if path.is_file()) / 2**20 - weights
    assert installed_mib({"htdemucs-n"}) == pytest.approx(modules, abs=2)
    assert row.packages > 10 and row.mib > installed_mib({"htdemucs-n"})
