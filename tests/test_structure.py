"""The shape of the package: imports run downwards, in no circle, and no function is long."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import htdemucs_n

ROOT = Path(htdemucs_n.__file__).parent

LEVELS = (
    {"cli"},
    {"service", "catalogue"},
    {"training", "export", "transcription"},
    {"evaluation", "profiling"},
    {"separation"},
    {"engines"},
    {"datasets", "demo"},
    {"models"},
    {"audio"},
)
"""Folders from the top down: one imports from those below it, and from the modules beside them (errors, files, ...)."""

LONGEST = 80
"""Lines of a function, its signature and docstring among them."""


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package by its name."""
    return {
        ".".join(("htdemucs_n", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): ast.parse(
            path.read_text(encoding="utf-8")
        )
        for path in sorted(ROOT.rglob("*.py"))
    }


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules of the package that `tree` imports, in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            names = [name for alias in node.names if (name := f"{node.module}.{alias.name}") in modules()]
            names = names or [node.module or ""]
        else:
            continue
        yield from (name for name in names if name in modules())


def level(module: str) -> int | None:
    """The level of the folder that a module lies in; None beside the folders."""
    parts = module.split(".")
    return next((number for number, names in enumerate(LEVELS) if len(parts) > 1 and parts[1] in names), None)


def test_imports_run_downwards() -> None:
    upwards = []
    for name, tree in modules().items():
        for imported in imports(tree):
            here, there = level(name), level(imported)
            if name.split(".")[1:2] == imported.split(".")[1:2] or there is None or name == "htdemucs_n":
                continue
            if name != "htdemucs_n.__main__" and (here is None or here >= there):
                upwards.append(f"{name} imports {imported}")
    assert not upwards


def test_no_circle() -> None:
    graph = {name: {*imports(tree)} - {name} for name, tree in modules().items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_no_long_function() -> None:
    long = [
        f"{name}.{node.name}: {length} lines"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST
    ]
    assert not long
