"""The pages of the documentation: their code, commands and prose."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = ("htdemucs-n", "song-maker")


@dataclass(frozen=True)
class Page:
    """One Markdown file of the repository."""

    path: Path

    @property
    def name(self) -> str:
        """Its path from the root of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    def python(self) -> list[str]:
        """The code of its Python blocks."""
        return re.findall(r"^```python\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)

    def commands(self) -> list[list[str]]:
        """The arguments of every complete command of this project, the program first: of code and of tables."""
        lines = re.findall(r"^ {4,}(?!\s)(.*)$", self.text.replace("\\\n", " "), re.MULTILINE)
        cells = [cell for _, line in self.prose() if line[:1] == "|" for cell in re.findall(r"`([^`]*)`", line)]
        whole = [*lines, *(cell for cell in cells if len(cell.split()) > 2)]
        return [command for line in whole for command in _commands_of(line)]

    def mentions(self) -> list[list[str]]:
        """The commands of this project in sentences, which may be incomplete."""
        spans = [span for _, line in self.prose() for span in re.findall(r"`([^`]*)`", line)]
        return [command for span in spans for command in _commands_of(span) if len(command) > 1]

    def prose(self) -> Iterator[tuple[int, str]]:
        """Lines with their numbers, without code blocks."""
        fenced = False
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.lstrip().startswith("```"):
                fenced = not fenced
            elif not fenced and not line.startswith("    "):
                yield number, line


def pages() -> list[Page]:
    """All pages that users and contributors read."""
    return [Page(path) for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])]


def _commands_of(line: str) -> Iterator[list[str]]:
    """The commands of this project in a line of shell code."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        tokens = list(lexer)
    except ValueError:  # a diagram or a formula, not a command
        return
    for token in [*tokens, ";"]:
        if token.strip("|&;>"):
            words.append(token)
            continue
        if "htdemucs_n" in words:  # python -m htdemucs_n
            words = ["htdemucs-n", *words[words.index("htdemucs_n") + 1 :]]
        if words[:1] and words[0] in PROGRAMS:
            yield words
        words = []
