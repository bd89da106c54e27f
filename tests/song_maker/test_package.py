"""The song maker is a package of its own, which the separator does not import."""

from __future__ import annotations

import ast
from pathlib import Path

import htdemucs_n


def test_the_separator_imports_nothing_of_the_song_maker() -> None:
    for file in Path(htdemucs_n.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "song_maker" for name in names), file
